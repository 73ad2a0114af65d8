"""``txtrack`` itself: help, version, the node as a program."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any

import aiohttp
import pytest

from transaction_tracker.cli import main

Txtrack = Callable[..., Awaitable[Any]]


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["--help"])

    assert status == 0
    out = capsys.readouterr().out
    for words in ("demo", "node", "watch", "Follow transactions until all have ended."):
        assert words in out


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("demo", ["--fast", "--transactions", "Exit status", "1 if one did not"]),
        ("node", ["--port", "--chain-id", "--block-time", "Exit status", "dev_reorg"]),
        ("watch", ["--rpc", "--chain-id", "--database", "--timeout", "Exit status", "6: the node"]),
    ],
)
def test_help_of_a_command_is_complete(
    capsys: pytest.CaptureFixture[str], command: str, words: list[str]
) -> None:
    status = main([command, "--help"])

    text = " ".join(capsys.readouterr().out.split())
    assert status == 0
    assert [word for word in words if word not in text] == []


async def test_version_is_that_of_the_package(txtrack: Txtrack) -> None:
    ran = await txtrack("--version")

    assert (ran.status, ran.out) == (0, f"{version('transaction-tracker')}\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_node_runs_until_told_to_stop(number: signal.Signals) -> None:
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
