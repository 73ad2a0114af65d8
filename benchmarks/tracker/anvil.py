"""anvil, a real node, with thousands of transactions waiting in its pool."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from transaction_tracker.sources.ethereum import RpcClient, SecretUrl
from transaction_tracker.sources.ethereum.rpc import Request
from txtrack_devnode.transaction import TRANSFER_GAS

ROOT = Path(__file__).parents[2]
IN_NODE_MODULES = ROOT / "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"
START_SECONDS = 20.0
SENDERS = 9
AT_ONCE = 500
DEADLINE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Anvil:
    """A running anvil that mines when told to.

    Attributes:
        url: Where it listens.
        client: To send it transactions and commands.
    """

    url: str
    client: RpcClient

    @property
    def ws_url(self) -> str:
        """Where it tells of new heads."""
        return f"ws{self.url.removeprefix('http')}"

    async def send(self, count: int) -> list[str]:
        """Send payments of nine accounts to a tenth, and give their hashes."""
        *senders, receiver = await self.client.call("eth_accounts")
        numbers = range(count)
        payments = [
            _payment(senders[number % SENDERS], receiver, number // SENDERS) for number in numbers
        ]
        answers = await self.client.batch(payments)
        bad = next((one for one in answers if not isinstance(one, str)), None)
        if bad is not None:
            raise RuntimeError(f"anvil refused a payment: {bad}")
        return answers

    async def mine(self) -> None:
        """Mine a block."""
        await self.client.call("evm_mine")


def binary() -> Path | None:
    """Find anvil."""
    found = IN_NODE_MODULES if IN_NODE_MODULES.exists() else shutil.which("anvil")
    return None if found is None else Path(found)


@asynccontextmanager
async def running(per_block: int) -> AsyncIterator[Anvil]:
    """Run an anvil whose blocks hold ``per_block`` payments."""
    found = binary()
    if found is None:
        raise RuntimeError("no anvil: npm install --no-save @foundry-rs/anvil")
    gas = str(per_block * TRANSFER_GAS)
    flags = ["--host", "127.0.0.1", "--port", "0", "--no-mining", "--gas-limit", gas]
    process = await asyncio.create_subprocess_exec(
        str(found), *flags, stdout=asyncio.subprocess.PIPE, env={**os.environ, "RUST_LOG": "off"}
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_SECONDS):
            url = await _listening(process.stdout)
        reading = asyncio.create_task(_forget(process.stdout))
        client = RpcClient(SecretUrl(url), batch_size=AT_ONCE, deadline=DEADLINE_SECONDS)
        yield Anvil(url, client)
        await client.close()
        reading.cancel()
    finally:
        process.terminate()
        await process.wait()


def _payment(sender: str, receiver: str, nonce: int) -> Request:
    payment = {
        "from": sender,
        "to": receiver,
        "value": "0x1",
        "nonce": hex(nonce),
        "gas": hex(TRANSFER_GAS),
        "maxFeePerGas": hex(10**12),
        "maxPriorityFeePerGas": hex(10**9),
    }
    return Request("eth_sendTransaction", (payment,))


async def _listening(output: asyncio.StreamReader) -> str:
    async for line in output:
        if line.startswith(b"Listening on "):
            return "http://" + line.removeprefix(b"Listening on ").decode().strip()
    raise RuntimeError("anvil ended before it listened")


async def _forget(output: asyncio.StreamReader) -> None:
    """Read what it says, so that it never waits for a reader."""
    while await output.read(65_536):
        pass
