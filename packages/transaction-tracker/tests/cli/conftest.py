"""``txtrack`` as a subprocess, and a node for it to meet."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from transaction_tracker.node import Chain, DevelopmentNode


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    status: int
    out: str
    err: str


@pytest.fixture
def txtrack() -> Callable[..., Awaitable[Ran]]:
    async def run(*arguments: str) -> Ran:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "transaction_tracker", *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        return Ran(process.returncode, out.decode(), err.decode())

    return run


@pytest.fixture
async def node() -> AsyncIterator[DevelopmentNode]:
    async with DevelopmentNode(chain=Chain(accounts=4), block_time=0.1) as running:
        yield running
