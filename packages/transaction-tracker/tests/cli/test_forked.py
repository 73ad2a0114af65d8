"""Forked programs behave as programs of a new interpreter."""

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, STDOUT

import pytest

from txtrack_devnode import DevelopmentNode

from .forked import CAN_FORK, ForkedProgram, start
from .program import SECONDS, serving

pytestmark = pytest.mark.skipif(not CAN_FORK, reason="programs are not forked on this system")


@pytest.mark.parametrize("arguments", [["--version"], ["watch", "no"]])
async def test_output_and_status_are_those_of_a_new_interpreter(arguments: list[str]) -> None:
    results = []
    for fresh in (False, True):
        process = await start(*arguments, stdout=PIPE, stderr=PIPE, fresh=fresh)
        out, err = await process.communicate()
        assert isinstance(process, ForkedProgram) is not fresh
        results.append((process.returncode, out, err))

    assert results[0] == results[1]


async def test_pipes_can_be_joined_or_left_out() -> None:
    joined = await start("watch", "no", stdout=PIPE, stderr=STDOUT)
    silent = await start("watch", "no", stdout=DEVNULL, stderr=DEVNULL)

    out, err = await joined.communicate()
    assert out.startswith(b"txtrack: ")
    assert err == b""
    assert await silent.communicate() == (b"", b"")
    assert silent.returncode == joined.returncode == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_program_ends_in_order_after_a_signal(
    node: DevelopmentNode, number: signal.Signals
) -> None:
    async with asyncio.timeout(SECONDS), serving("--rpc", node.url) as (process, _):
        process.send_signal(number)

        assert await process.wait() == 0


async def test_killed_program_has_the_status_of_its_signal(node: DevelopmentNode) -> None:
    async with asyncio.timeout(SECONDS), serving("--rpc", node.url) as (process, _):
        assert os.getpgid(process.pid) == os.getpgid(0)

        process.kill()

        assert await process.wait() == -signal.SIGKILL


async def test_other_variables_of_the_interpreter_need_a_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONUTF8", "0")
    process = await start("--version", stdout=PIPE)

    await process.communicate()

    assert isinstance(process, asyncio.subprocess.Process)
