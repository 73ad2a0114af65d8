"""A development node, an application that follows it, and a real node."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from transaction_tracker import Settings, TransactionTrackerApplication
from transaction_tracker.sources.ethereum import RpcClient, SecretUrl
from txtrack_devnode import Chain, DevelopmentNode

from .anvil import Anvil, anvil_binary

START_SECONDS = 100.0


@pytest.fixture
async def node() -> AsyncIterator[DevelopmentNode]:
    async with DevelopmentNode(chain=Chain(accounts=12)) as running:
        yield running


@pytest.fixture
def settings(node: DevelopmentNode, tmp_path: Path) -> Settings:
    return Settings(
        node.url,
        chain_id=31337,
        confirmations=3,
        database=tmp_path / "test.db",
        poll_interval=0.01,
        block_time=0.02,
    )


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[TransactionTrackerApplication]:
    async with TransactionTrackerApplication(settings) as running:
        yield running


@pytest.fixture
async def anvil() -> AsyncIterator[Anvil]:
    """A real node on a free port, with ten funded accounts."""
    command = [str(anvil_binary()), "--host", "127.0.0.1", "--port", "0", "--no-mining"]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=sys.stderr.fileno()
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_SECONDS):
            url = await _listening(process.stdout)
        client = RpcClient(SecretUrl(url))
        yield Anvil(url, client, await client.call("eth_accounts"))
        await client.close()
    finally:
        process.terminate()
        # Read the rest of its output: with a full pipe, it would not exit.
        await process.stdout.read()
        await process.wait()


async def _listening(output: asyncio.StreamReader) -> str:
    async for line in output:
        if line.startswith(b"Listening on "):
            return "http://" + line.removeprefix(b"Listening on ").decode().strip()
    pytest.fail("anvil ended before it listened")
