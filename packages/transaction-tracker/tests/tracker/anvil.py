"""A real node for tests that need one."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from transaction_tracker.sources.ethereum import RpcClient

ROOT = Path(__file__).parents[4]
IN_NODE_MODULES = ROOT / "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"


def anvil_binary() -> Path:
    """Find anvil, or skip the test; in CI, where everything has to be there, fail."""
    found = IN_NODE_MODULES if IN_NODE_MODULES.exists() else shutil.which("anvil")
    if found is not None:
        return Path(found)
    reason = "no anvil: npm install --no-save @foundry-rs/anvil"
    if os.environ.get("BEAMISH_REQUIRE_TOOLS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass(frozen=True, slots=True)
class Anvil:
    """A running anvil that mines when told to.

    Attributes:
        url: Where it listens.
        client: To send it transactions and commands.
        accounts: Its unlocked accounts.
    """

    url: str
    client: RpcClient
    accounts: list[str]

    async def ask(self, method: str, *params: object) -> Any:
        return await self.client.call(method, *params)

    async def send(self, sender: int, **fields: object) -> str:
        """Send a transaction from one of the accounts, and give its hash."""
        price = {"maxFeePerGas": hex(10**10), "maxPriorityFeePerGas": hex(10**9)}
        tx = {"from": self.accounts[sender], "gas": hex(100_000)} | price | fields
        return str(await self.ask("eth_sendTransaction", tx))

    async def pay(self, sender: int, to: int, value: int = 1, **fields: object) -> str:
        return await self.send(sender, to=self.accounts[to], value=hex(value), **fields)

    async def mine(self, blocks: int = 1) -> None:
        await self.ask("anvil_mine", hex(blocks))
