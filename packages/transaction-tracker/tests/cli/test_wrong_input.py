"""Bad input: an error on standard error, exit status 2, no traceback."""

import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from transaction_tracker.cli import main
from txtrack_devnode import DevelopmentNode

from .conftest import Command

Txtrack = Callable[..., Awaitable[Any]]

HASH = "0x" + "ab" * 32

BAD: list[tuple[list[str], str]] = [
    (
        ["serve", "--standby", "--rpc", "http://127.0.0.1:1", "--database", "some.db"],
        "--standby requires a PostgreSQL database",
    ),
    (
        ["serve", "--standby", "--database", "postgresql://db/x", "--set", "database.lease=2s"],
        "database.lease must be 3s to 5m",
    ),
    (
        ["serve", "--standby", "--set", "web.public_url=http://u:p@host"],
        "web.public_url must be an address such as http://127.0.0.1:8080",
    ),
    (["nonsense"], 'Unknown command "nonsense"'),
    (["watch", HASH], "--rpc"),
    (["watch", "--rpc", "http://127.0.0.1:1"], "TRANSACTIONS requires an argument"),
    (["watch", "--rpc", "http://127.0.0.1:1", "0x12"], "0x and 64 hexadecimal digits, got '0x12'"),
    (["watch", "--rpc", "ftp://key@host", HASH], "a node's URL must look like"),
    (["watch", "--rpc", "http://127.0.0.1:1", HASH, "--chain-id", "0"], "--chain-id"),
    (["watch", "--rpc", "http://127.0.0.1:1", HASH, "--chain-id", "main"], "--chain-id"),
    (["watch", "--rpc", "http://127.0.0.1:1", HASH, "--confirmations", "0"], "--confirmations"),
    (["watch", "--rpc", "http://127.0.0.1:1", HASH, "--confirmations", "1_2"], "a whole number"),
    (["ls", "--limit", "1_0"], "--limit: must be a whole number"),
    (["events", "--limit", "+1"], "--limit: must be a whole number"),
    (["webhook", "attempts", "ep_1", "--limit", "1.5"], "--limit: must be a whole number"),
    (["webhook", "dead", "ep_1", "--limit", "0"], "Must be >= 1"),
    (["import", "--batch", "1_0"], "--batch: must be a whole number"),
    (["ls", "--url", "http://127.0.0.1:8_0"], "http://127.0.0.1:8080"),
    (["watch", "--rpc", "http://127.0.0.1:1", HASH, "--timeout", "0"], "--timeout must be over 0"),
    (
        ["watch", "--rpc", "http://127.0.0.1:1", HASH, "--timeout", "nan"],
        "--timeout: a time must be",
    ),
    (
        ["watch", "--rpc", "http://127.0.0.1:1", HASH, "--poll-interval", "0"],
        "--poll-interval must be over 0",
    ),
]


@pytest.mark.parametrize(("arguments", "words"), BAD)
def test_bad_input_ends_with_status_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    status = main(arguments)

    err = capsys.readouterr().err
    assert status == 2
    assert words in " ".join(err.replace("│", "").split())
    assert "Traceback" not in err


async def test_status_of_bad_input_is_that_of_the_process(txtrack: Txtrack) -> None:
    ran = await txtrack("watch", "--rpc", "http://127.0.0.1:1", "0x12", fresh=True)

    assert ran.status == 2
    assert ran.err.startswith("txtrack: a transaction hash must be")


def test_every_malformed_hash_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["watch", "--rpc", "http://127.0.0.1:1", "0x12", HASH, "hello"])

    err = capsys.readouterr().err
    assert status == 2
    assert "'0x12'" in err
    assert "'hello'" in err


@pytest.mark.parametrize(
    "url", ["http://user:s3cret@127.0.0.1:1/s3cret?key=s3cret", "nothttp://s3cret"]
)
def test_secret_in_the_url_is_never_printed(capsys: pytest.CaptureFixture[str], url: str) -> None:
    status = main(["watch", "--rpc", url, HASH])

    printed = capsys.readouterr()
    assert status != 0
    assert "s3cret" not in printed.out + printed.err


def test_unreachable_node_ends_with_status_6(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    database = tmp_path / "watched.db"

    status = main(["watch", "--rpc", "http://127.0.0.1:1", "--database", str(database), HASH])

    printed = capsys.readouterr()
    assert status == 6
    assert printed.err.startswith("txtrack: http://127.0.0.1:1: no connection")
    assert printed.out == ""


async def test_node_of_the_wrong_chain_ends_with_status_6(
    command: Command, node: DevelopmentNode
) -> None:
    ran = await command("watch", "--rpc", node.url, "--chain-id", "1", HASH)

    assert ran.status == 6
    assert f"{node.url} is on chain 31337, expected 1" in ran.err


async def test_unusable_database_ends_with_status_1(
    txtrack: Txtrack, node: DevelopmentNode, tmp_path: Path
) -> None:
    garbage = tmp_path / "garbage.db"
    garbage.write_text("this is not a database, and is not changed")

    ran = await txtrack("watch", "--rpc", node.url, "--database", str(garbage), HASH)

    assert ran.status == 1
    assert f"txtrack: cannot use database {garbage}" in ran.err
    assert garbage.read_text() == "this is not a database, and is not changed"


def test_port_in_use_ends_with_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        status = main(["node", "--port", str(port)])

    printed = capsys.readouterr()
    assert status == 1
    assert printed.err.startswith(f"txtrack: port {port} is in use")
    assert printed.out == ""
