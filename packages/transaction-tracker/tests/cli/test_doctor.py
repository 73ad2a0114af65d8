"""``txtrack doctor`` reports each problem with its effect and its fix."""

import asyncio
import json
import re
import sys
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from transaction_tracker.api import Following
from transaction_tracker.cli.database import in_database
from transaction_tracker.domain.webhook_endpoint import WebhookSecret
from transaction_tracker.follower import Verdict
from transaction_tracker.store.endpoints import add
from transaction_tracker.store.url import DatabaseUrl
from txtrack_devnode import Chain, DevelopmentNode
from txtrack_devnode.faults import DuplicatedTransaction
from txtrack_devnode.faults.kind import Call
from txtrack_devnode.faults.results import decoded

from ..api.support import serving  # noqa: TID252 - a service in the state that a test sets
from ..listening import free_port, listening  # noqa: TID252 - for all tests of the package
from .conftest import Command, Ran


def chain(**options: Any) -> Chain:
    return Chain(accounts=1, **{"genesis_time": int(time.time()) - 30} | options)


@pytest.fixture
async def fresh() -> AsyncIterator[DevelopmentNode]:
    async with DevelopmentNode(chain=chain()) as running:
        yield running


@pytest.fixture
async def doctor(command: Command) -> Command:
    async def run(*arguments: str) -> Ran:
        flags = () if "--port" in arguments else ("--port", str(free_port()))
        return await command("doctor", "--json", *flags, *arguments)

    return run


def problems(ran: Ran, severity: str = "error") -> list[str]:
    found = [
        finding
        for finding in ran.documents
        # How fast a provider is depends on the machine.
        if finding["severity"] == severity and "small requests" not in finding["message"]
    ]
    assert all(finding["why"] and finding["fix"] for finding in found)
    return [f"{finding['subject']}: {finding['message']}" for finding in found]


async def test_working_setup_has_no_problem(doctor: Command, fresh: DevelopmentNode) -> None:
    async with DevelopmentNode(chain=chain(genesis_time=fresh.chain.head.timestamp)) as other:
        ran = await doctor("--rpc", fresh.url, "--rpc", other.url, "--chain-id", "31337")

    assert (ran.status, problems(ran), problems(ran, "warning")) == (0, [], [])


async def test_findings_are_printed_with_effect_and_fix(command: Command) -> None:
    ran = await command("doctor", "--rpc", "http://127.0.0.1:1", "--port", str(free_port()))

    assert ran.status == 1
    assert "ERROR   provider http://127.0.0.1:1: request failed: " in ran.out
    assert "        why: the service cannot follow the chain through this provider" in ran.out
    assert "        fix: check the URL" in ran.out
    assert ran.out.splitlines()[-1] == "1 errors, 1 warnings, 2 ok"


async def test_invalid_configuration_is_an_error(doctor: Command, tmp_path: Path) -> None:
    (tmp_path / "txtrack.toml").write_text("[web]\nhots = 1\n")

    ran = await doctor()

    assert ran.status == 1
    expected = "web.hots is an unknown option; did you mean host? (txtrack.toml line 2)"
    assert problems(ran) == [f"configuration: {expected}"]


async def test_missing_provider_is_an_error(doctor: Command) -> None:
    assert problems(await doctor()) == ["providers: none configured"]


async def test_provider_on_another_chain_than_configured_is_an_error(
    doctor: Command, fresh: DevelopmentNode
) -> None:
    ran = await doctor("--rpc", fresh.url, "--chain-id", "1")

    expected = "is on chain 31337, but source.chain_id is 1"
    assert problems(ran) == [f"provider {fresh.url}: {expected}"]


async def test_provider_on_another_chain_than_most_is_an_error(
    doctor: Command, fresh: DevelopmentNode
) -> None:
    same = chain(genesis_time=fresh.chain.head.timestamp)
    async with (
        DevelopmentNode(chain=same) as second,
        DevelopmentNode(chain=chain(genesis_time=5)) as odd,
    ):
        ran = await doctor("--rpc", odd.url, "--rpc", fresh.url, "--rpc", second.url)

    (found,) = problems(ran)
    assert found.startswith(f"provider {odd.url}: is on another chain than provider {fresh.url}")


async def test_tie_between_two_chains_is_an_error(doctor: Command, fresh: DevelopmentNode) -> None:
    async with DevelopmentNode(chain=chain(genesis_time=5)) as odd:
        ran = await doctor("--rpc", odd.url, "--rpc", fresh.url)

    (found,) = problems(ran)
    ours, theirs = fresh.chain.block(0), odd.chain.block(0)
    assert ours is not None
    assert theirs is not None
    assert found.startswith(f"provider {fresh.url}: is on chain 31337 with first block")
    assert ours.hash in found
    assert f"and provider {odd.url} is on chain 31337 with first block {theirs.hash}" in found
    assert "both chains have the same number of providers" in found


async def test_lagging_provider_is_a_warning(doctor: Command, fresh: DevelopmentNode) -> None:
    async with DevelopmentNode(chain=chain(genesis_time=fresh.chain.head.timestamp)) as ahead:
        await ahead.mine(5)
        ran = await doctor("--rpc", fresh.url, "--rpc", ahead.url)

    assert ran.status == 0
    assert problems(ran, "warning") == [
        f"provider {fresh.url}: is 5 blocks behind provider {ahead.url} (at 0, not 5)"
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(3_600, "in the future by this machine's clock"), (-3_600, "old by this machine's clock")],
)
async def test_head_that_contradicts_the_clock_is_a_warning(
    doctor: Command, seconds: int, words: str
) -> None:
    async with DevelopmentNode(chain=chain(genesis_time=int(time.time()) + seconds)) as odd:
        ran = await doctor("--rpc", odd.url)

    assert words in problems(ran, "warning")[1]


async def test_stale_head_is_a_warning(doctor: Command) -> None:
    """The limit of the service: five block times, at least 60 s; and 30 s for clocks."""
    async with DevelopmentNode(chain=chain(genesis_time=int(time.time()) - 120)) as still:
        short = await doctor("--rpc", still.url, "--set", "source.block_time=12s")
        long = await doctor("--rpc", still.url, "--set", "source.block_time=60s")

    assert re.search(r"its head is 1\d\d", problems(short, "warning")[-1])
    assert "head" not in problems(long, "warning")[-1]


async def test_unreadable_head_block_is_an_error_with_block_and_field(
    doctor: Command, fresh: DevelopmentNode
) -> None:
    class Bodiless(DuplicatedTransaction):
        def changed(self, call: Call, result: object, state: Any) -> object:
            return decoded(result) | {"transactions": None}

    fresh.chain.mine(1)
    fresh.faults.inject(Bodiless(methods=frozenset(("eth_getBlockByHash",))))

    ran = await doctor("--rpc", fresh.url)

    assert ran.status == 1
    (found,) = problems(ran)
    assert found.startswith(f"provider {fresh.url}: its block 1 cannot be read: ")
    assert "transactions must be an array" in found


async def test_provider_without_a_safe_block_is_an_error(doctor: Command) -> None:
    ran = await doctor("--rpc", "http://127.0.0.1:1", "--confirmations", "safe")

    assert ran.status == 1


async def test_unencrypted_key_is_a_warning(doctor: Command) -> None:
    ran = await doctor("--rpc", "http://rpc.invalid/s3cretkey")

    expected = "its URL contains a key, and requests are not encrypted"
    assert problems(ran, "warning")[0] == f"provider http://rpc.invalid/…: {expected}"
    assert "s3cretkey" not in ran.out + ran.err


async def test_readable_file_with_a_secret_is_a_warning(
    doctor: Command, fresh: DevelopmentNode, tmp_path: Path
) -> None:
    file = tmp_path / "txtrack.toml"
    file.write_text(f'[[providers]]\nurl = "{fresh.url}/s3cretkey"\n')
    file.chmod(0o644)
    told = problems(await doctor(), "warning")
    file.chmod(0o600)
    quiet = problems(await doctor(), "warning")

    assert told[-1].startswith("file txtrack.toml: other users of this machine can read it")
    assert told[:-1] == quiet


async def test_database_in_use_is_an_error(
    command: Command, fresh: DevelopmentNode, tmp_path: Path
) -> None:
    # Another process, because a lock of this process would not block it.
    hold = (
        "import sys; from pathlib import Path; from transaction_tracker.store.database import "
        "Database; database = Database(Path(sys.argv[1])).open()"
    )
    wait = "print('held', flush=True); sys.stdin.read()"
    holder = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", f"{hold}; {wait}", str(tmp_path / "some.db")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert holder.stdout is not None
    await holder.stdout.readline()
    try:
        flags = ("--rpc", fresh.url, "--database", "some.db", "--port", str(free_port()))
        ran = await command("doctor", "--json", *flags)
    finally:
        await holder.communicate(b"")

    assert problems(ran) == ["database some.db: it is in use by another program"]


async def test_missing_folder_of_the_database_is_an_error(
    doctor: Command, fresh: DevelopmentNode
) -> None:
    ran = await doctor("--rpc", fresh.url, "--database", "nowhere/some.db")

    (found,) = problems(ran)
    assert "does not exist" in found


async def test_file_that_is_not_a_database_is_an_error(
    doctor: Command, fresh: DevelopmentNode, tmp_path: Path
) -> None:
    (tmp_path / "some.db").write_text("this is not a database, and is not changed")

    ran = await doctor("--rpc", fresh.url, "--database", "some.db")

    assert "file is not a database" in problems(ran)[0]
    assert (tmp_path / "some.db").read_text() == "this is not a database, and is not changed"


async def test_unreachable_database_is_an_error(doctor: Command, fresh: DevelopmentNode) -> None:
    url = "postgresql://me:s3cret@127.0.0.1:1/name"

    ran = await doctor("--rpc", fresh.url, "--database", url)

    assert problems(ran)[0].startswith("database postgresql://127.0.0.1:1/name: not usable")
    assert "s3cret" not in ran.out + ran.err


async def test_database_in_memory_is_a_warning(doctor: Command, fresh: DevelopmentNode) -> None:
    ran = await doctor("--rpc", fresh.url, "--database", ":memory:")

    assert "database :memory:: is in memory" in problems(ran, "warning")


async def test_pending_migrations_are_a_warning(
    doctor: Command, fresh: DevelopmentNode, tmp_path: Path
) -> None:
    (tmp_path / "old.db").touch()  # an empty database without tables

    ran = await doctor("--rpc", fresh.url, "--database", "old.db")

    assert problems(ran, "warning")[1].startswith("database old.db: lacks migrations: 0001")


async def test_public_address_without_a_token_is_an_error(
    doctor: Command, command: Command, fresh: DevelopmentNode
) -> None:
    before = problems(await doctor("--rpc", fresh.url, "--host", "0.0.0.0"))
    await command("token", "create", "x")
    after = problems(await doctor("--rpc", fresh.url, "--host", "0.0.0.0"))

    assert "other machines can reach it, and there is no token" in before[0]
    assert after == []


async def test_port_in_use_is_an_error(doctor: Command, fresh: DevelopmentNode) -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with listening(hang_up) as port:
        ran = await doctor("--rpc", fresh.url, "--port", str(port))

    (found,) = problems(ran)
    assert found.startswith(f"address 127.0.0.1 port {port}: cannot listen on 127.0.0.1")


async def test_running_service_has_no_problem(
    doctor: Command, service: str, node: DevelopmentNode
) -> None:
    port = service.rpartition(":")[2]

    ran = await doctor("--rpc", node.url, "--database", "service.db", "--port", port)

    (found,) = [one for one in ran.documents if one["subject"].startswith("service ")]
    assert (found["severity"], found["message"]) == ("ok", "running and ready")
    assert problems(ran) == []


@pytest.mark.parametrize(
    ("verdict", "severity", "words"),
    [
        (
            Verdict("halted", "block 7: nonce"),
            "error",
            "but not ready: source halted: block 7: nonce",
        ),
        (Verdict("lagging", "no head"), "warning", "ready, but: source lagging: no head"),
    ],
)
async def test_halted_or_lagging_service_is_reported(
    doctor: Command, fresh: DevelopmentNode, verdict: Verdict, severity: str, words: str
) -> None:
    async with serving(following=lambda: Following(verdict=verdict)) as client:
        ran = await doctor("--rpc", fresh.url, "--port", str(client.port))

    (found,) = [one for one in ran.documents if one["subject"].startswith("service ")]
    assert found["severity"] == severity
    assert words in found["message"]


async def test_forbidden_address_of_an_endpoint_is_an_error(
    doctor: Command, fresh: DevelopmentNode
) -> None:
    url = DatabaseUrl.of("some.db")
    for place in ("https://10.1.2.3/s3cret", "https://127.0.0.1:9/"):
        in_database(url, partial(add, url=place, states=None, secret=WebhookSecret.generate()))

    flags = ("--rpc", fresh.url, "--database", "some.db")
    ran = await doctor(*flags, "--set", "webhooks.allow_private=127.0.0.1")

    (found,) = problems(ran)
    assert found.startswith("endpoint ep_")
    assert "10.1.2.3 is not allowed: the address is private" in found
    assert json.dumps(ran.documents).count('"URL allowed"') == 1
    assert "s3cret" not in ran.out
