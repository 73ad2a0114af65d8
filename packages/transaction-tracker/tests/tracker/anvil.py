"""A real Ethereum node (anvil) for tests."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from transaction_tracker.sources.ethereum import RpcClient, SecretUrl

ROOT = Path(__file__).parents[4]
START_SECONDS = 100.0
IN_NODE_MODULES = ROOT / "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"


def anvil_binary() -> Path:
    """Return the path of anvil, or skip the test; fail if all tools are required, as in CI."""
    found = IN_NODE_MODULES if IN_NODE_MODULES.exists() else shutil.which("anvil")
    if found is not None:
        return Path(found)
    reason = "no anvil: npm install --no-save @foundry-rs/anvil"
    if os.environ.get("BEAMISH_REQUIRE_TOOLS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass(frozen=True, slots=True)
class Anvil:
    """A running anvil that mines on request.

    Attributes:
        url: URL of its JSON-RPC server.
        client: Client that sends transactions and commands.
        accounts: Its unlocked accounts.
    """

    url: str
    client: RpcClient
    accounts: list[str]

    async def ask(self, method: str, *params: object) -> Any:
        return await self.client.call(method, *params)

    async def send(self, sender: int, **fields: object) -> str:
        """Send a transaction from one of the accounts, and return its hash."""
        price = {"maxFeePerGas": hex(10**10), "maxPriorityFeePerGas": hex(10**9)}
        tx = {"from": self.accounts[sender], "gas": hex(100_000)} | price | fields
        return str(await self.ask("eth_sendTransaction", tx))

    async def pay(self, sender: int, to: int, value: int = 1, **fields: object) -> str:
        return await self.send(sender, to=self.accounts[to], value=hex(value), **fields)

    async def mine(self, blocks: int = 1) -> None:
        await self.ask("anvil_mine", hex(blocks))


@dataclass(frozen=True, slots=True)
class Twin(Anvil):
    """An anvil that makes the same blocks as another one, and can hang and die.

    Attributes:
        process: Its operating system process.
    """

    process: asyncio.subprocess.Process

    async def mine_at(self, timestamp: int) -> None:
        """Mine a block with this timestamp; equal inputs make equal blocks."""
        await self.ask("evm_setNextBlockTimestamp", timestamp)
        await self.ask("evm_mine")

    def hang(self) -> None:
        """Suspend the process; return when it no longer runs, as it responds until then."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)

    def wake(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    async def die(self) -> None:
        self.process.kill()
        await self.process.wait()


@asynccontextmanager
async def twin(timestamp: int, chain_id: int = 31337) -> AsyncIterator[Twin]:
    """Run an anvil whose first block has this timestamp."""
    command = [str(anvil_binary()), "--host", "127.0.0.1", "--port", "0", "--no-mining"]
    process = await asyncio.create_subprocess_exec(
        *command,
        *("--timestamp", str(timestamp), "--chain-id", str(chain_id)),
        stdout=asyncio.subprocess.PIPE,
        stderr=sys.stderr.fileno(),
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_SECONDS):
            url = await _listening(process.stdout)
        client = RpcClient(SecretUrl(url))
        yield Twin(url, client, await client.call("eth_accounts"), process)
        await client.close()
    finally:
        if process.returncode is None:
            process.kill()  # a stopped process handles no other signal
        await process.stdout.read()
        await process.wait()


async def _listening(output: asyncio.StreamReader) -> str:
    async for line in output:
        if line.startswith(b"Listening on "):
            return "http://" + line.removeprefix(b"Listening on ").decode().strip()
    pytest.fail("anvil ended before it listened")
