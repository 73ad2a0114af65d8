"""Real nodes that make the same blocks, as long as they live."""

from dataclasses import dataclass, field
from typing import Any

from ..tracker.anvil import Twin  # noqa: TID252 - the one way to run an anvil

GENESIS = 1_900_000_000
# Deploys a contract that does nothing but revert: PUSH1 0, PUSH1 0, REVERT.
REVERTING = "0x6460006000fd6000526005601bf3"
HIGHER_PRICE = {"maxFeePerGas": hex(3 * 10**10), "maxPriorityFeePerGas": hex(3 * 10**9)}


@dataclass
class Network:
    """Anvils with the same chain: all that is done is done at each that takes part.

    Attributes:
        nodes: All of them.
        away: Those that take no part at the moment.
        missed: The timestamps of the blocks that were mined without somebody.
    """

    nodes: list[Twin]
    away: set[int] = field(default_factory=set)
    missed: list[int] = field(default_factory=list)
    _time: int = GENESIS

    @property
    def present(self) -> list[Twin]:
        return [node for place, node in enumerate(self.nodes) if place not in self.away]

    async def ask(self, method: str, *params: object) -> Any:
        """Ask all of them, who must say the same."""
        first, *others = [await node.ask(method, *params) for node in self.present]
        assert all(one == first for one in others)
        return first

    async def pay(self, sender: int, **fields: object) -> str:
        """Send a payment from an account, and give its hash."""
        return await self.send(sender, **{"to": self.nodes[0].accounts[9], "value": "0x1"} | fields)

    async def send(self, sender: int, **fields: object) -> str:
        first, *others = [await node.send(sender, **fields) for node in self.present]
        assert all(one == first for one in others)
        return first

    async def mine(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self._time += 12
            if self.away:
                self.missed.append(self._time)
            for node in self.present:
                await node.mine_at(self._time)

    async def come_back(self, place: int) -> None:
        """Let a node take part again, once it has the blocks that it missed."""
        for timestamp in self.missed:
            await self.nodes[place].mine_at(timestamp)
        self.missed.clear()
        self.away.remove(place)
        await self.ask("eth_getBlockByNumber", "latest", False)

    async def reorganise(self, depth: int) -> None:
        """Replace blocks by empty ones; their transactions are forgotten."""
        for node in self.present:
            await node.ask("anvil_reorg", depth, [])

    async def roll_back(self, depth: int) -> None:
        """Take blocks away; their transactions are forgotten."""
        for node in self.present:
            await node.ask("anvil_rollback", depth)

    async def signed(self, transaction: str) -> str:
        """Give the signed transaction, with which it can be sent again."""
        return str(await self.ask("eth_getRawTransactionByHash", transaction))
