"""Real nodes that mine identical blocks."""

from dataclasses import dataclass, field
from typing import Any

from ..tracker.anvil import Twin  # noqa: TID252 - the one way to run an anvil

GENESIS = 1_900_000_000
# Deploys a contract that always reverts: PUSH1 0, PUSH1 0, REVERT.
REVERTING = "0x6460006000fd6000526005601bf3"
HIGHER_PRICE = {"maxFeePerGas": hex(3 * 10**10), "maxPriorityFeePerGas": hex(3 * 10**9)}


@dataclass
class Network:
    """Anvils with the same chain; each action happens at every node that is present.

    Attributes:
        nodes: All nodes.
        away: Indexes of the absent nodes.
        missed: Timestamps of the blocks that absent nodes have missed.
    """

    nodes: list[Twin]
    away: set[int] = field(default_factory=set)
    missed: list[int] = field(default_factory=list)
    _time: int = GENESIS

    @property
    def present(self) -> list[Twin]:
        return [node for place, node in enumerate(self.nodes) if place not in self.away]

    async def ask(self, method: str, *params: object) -> Any:
        """Send a request to all present nodes, and check that their responses are equal."""
        first, *others = [await node.ask(method, *params) for node in self.present]
        assert all(other == first for other in others)
        return first

    async def pay(self, sender: int, **fields: object) -> str:
        """Send a payment from an account, and return its hash."""
        return await self.send(sender, **{"to": self.nodes[0].accounts[9], "value": "0x1"} | fields)

    async def send(self, sender: int, **fields: object) -> str:
        first, *others = [await node.send(sender, **fields) for node in self.present]
        assert all(other == first for other in others)
        return first

    async def mine(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self._time += 12
            if self.away:
                self.missed.append(self._time)
            for node in self.present:
                await node.mine_at(self._time)

    async def come_back(self, place: int) -> None:
        """Return a node to the network, after mining the blocks that it has missed."""
        for timestamp in self.missed:
            await self.nodes[place].mine_at(timestamp)
        self.missed.clear()
        self.away.remove(place)
        await self.ask("eth_getBlockByNumber", "latest", False)

    async def reorganise(self, depth: int) -> None:
        """Replace blocks by empty ones; their transactions are lost."""
        for node in self.present:
            await node.ask("anvil_reorg", depth, [])

    async def roll_back(self, depth: int) -> None:
        """Remove blocks; their transactions are lost."""
        for node in self.present:
            await node.ask("anvil_rollback", depth)

    async def signed(self, transaction: str) -> str:
        """Return the signed transaction, to send it again."""
        return str(await self.ask("eth_getRawTransactionByHash", transaction))
