"""``txtrack node``: the development node as a program."""

import asyncio
import signal
import sys
from dataclasses import fields

import aiohttp
import pytest

from transaction_tracker.cli import main
from txtrack_devnode.faults import KINDS

HASH = "0x" + "ab" * 32


def test_help_names_every_fault_and_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["node", "--help"])

    text = " ".join(capsys.readouterr().out.split())
    options = {field.name for kind in KINDS for field in fields(kind)} - {"probability"}
    assert status == 0
    assert [kind.name for kind in KINDS if f" {kind.name}: " not in text] == []
    assert [name for name in ("p", *options) if f"{name}=" not in text] == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("hangs", "--fault: a fault must be one of stale-null, "),
        ("hang:p=2", "--fault: hang: probability must be a number from 0 to 1, got 2.0"),
        ("hang:seconds=2", "--fault: hang has the options times, probability, methods, about"),
        (f"frozen-head:at={HASH}", f"--fault: frozen-head: no block has the hash {HASH}"),
    ],
)
def test_invalid_fault_is_bad_input(
    capsys: pytest.CaptureFixture[str], fault: str, words: str
) -> None:
    status = main(["node", "--port", "0", "--fault", "indexing", "--fault", fault])

    assert status == 2
    assert words in capsys.readouterr().err


async def test_faults_are_active_from_the_start() -> None:
    faults = ("--fault", "wrong-chain-id:chain_id=9", "--fault", "stale-null:p=0.5")
    command = ["node", "--port", "0", "--block-time", "0", "--seed", "3", *faults]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "transaction_tracker", *command), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        url = (await process.stdout.readline()).decode().split()[0]
        lines = [(await process.stdout.readline()).decode().strip() for _ in range(5)]
        request = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"}
        async with aiohttp.ClientSession() as http, http.post(url, json=request) as response:
            assert (await response.json())["result"] == "0x9"
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()

    assert lines[3:] == ["fault wrong-chain-id:chain_id=9", "fault stale-null:probability=0.5"]


def test_null_rounds_must_not_cover_every_number(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status = main(["node", "--port", "0", "--null-rounds", "1"])

    assert status == 2
    assert "--null-rounds: null_rounds must be 0, or 2 or more, got 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "70000"], "--port"),
        (["--block-time", "-1"], "--block-time: a time must be"),
        (["--block-time", "inf"], "--block-time: a time must be"),
    ],
)
def test_bad_input_ends_with_status_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    status = main(["node", *arguments])

    err = capsys.readouterr().err
    assert status == 2
    assert words in " ".join(err.replace("│", "").split())
    assert "Traceback" not in err


def test_help_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["node", "--help"])

    text = capsys.readouterr().out
    words = ("--port", "--chain-id", "--block-time", "Exit status", "dev_reorg")
    assert status == 0
    assert [word for word in words if word not in text] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_node_runs_until_a_signal(number: signal.Signals) -> None:
    command = ["node", "--port", "0", "--chain-id", "5", "--block-time", "0"]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "transaction_tracker", *command), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        line = (await process.stdout.readline()).decode()
        assert "chain 5, a block at each evm_mine" in line
        request = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"}
        async with (
            aiohttp.ClientSession() as http,
            http.post(line.split()[0], json=request) as response,
        ):
            assert (await response.json())["result"] == "0x5"
    finally:
        process.send_signal(number)
        status = await process.wait()

    assert status == 0
