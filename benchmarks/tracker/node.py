"""The development node as a process of its own, so that its work and memory are not measured.

It listens on 127.0.0.1, knows masses of transactions, and does what its starter writes to it:
``mine``, ``count``, or ``grow`` with a number of blocks. It ends when its starter does.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from benchmarks.tracker import partner
from benchmarks.tracker.partner import Partner
from benchmarks.tracker.prepared import waiting
from txtrack_devnode import Chain, DevelopmentNode, Transaction
from txtrack_devnode.faults import SlowAnswer

START_SECONDS = 300.0
# Transactions of other people in each block that ``grow`` mines.
FOREIGN_PER_BLOCK = 4


@dataclass(frozen=True, slots=True)
class Head:
    """Where the node is.

    Attributes:
        number: Its highest block.
        hash: That block's.
        requests: HTTP requests that it got so far.
        calls: JSON-RPC calls that these held.
        time: When it said so, by the machine's monotonic clock.
    """

    number: int
    hash: str
    requests: int
    calls: int
    time: float


@dataclass(frozen=True, slots=True)
class Node:
    """A running node.

    Attributes:
        url: Where it listens.
    """

    url: str
    _partner: Partner

    @property
    def ws_url(self) -> str:
        """Where it tells of new heads."""
        return f"ws{self.url.removeprefix('http')}"

    async def mine(self) -> Head:
        """Mine a block."""
        return await self._ask("mine")

    async def grow(self, blocks: int) -> Head:
        """Mine many blocks at once, with the transactions that wait spread evenly over them."""
        return await self._ask(f"grow {blocks}")

    async def count(self) -> Head:
        """Return the node's head."""
        return await self._ask("count")

    async def _ask(self, what: str) -> Head:
        self._partner.tell(what)
        return Head(**await self._partner.hear())


@asynccontextmanager
async def running(transactions: int, per_block: int, latency: float = 0.0) -> AsyncIterator[Node]:
    """Run a node on which so many transactions wait, and so many fit into a block.

    Args:
        transactions: How many wait.
        per_block: How many fit into a block.
        latency: Seconds by which each answer is late.
    """
    options = str(transactions), str(per_block), str(latency)
    async with partner.running(__name__, *options) as program:
        async with asyncio.timeout(START_SECONDS):
            url = (await program.hear())["url"]
        yield Node(url, program)


async def serve(transactions: int, per_block: int, latency: float) -> None:
    """Run the node."""
    async with DevelopmentNode(chain=waiting(transactions, per_block)) as node:
        if latency:
            node.faults.inject(SlowAnswer(seconds=latency))
        partner.say({"url": node.url})
        while line := await asyncio.to_thread(sys.stdin.readline):
            await _obey(node, line.split())
            head = node.chain.head
            told = Head(
                head.number,
                head.hash,
                node.http_requests,
                node.counters.total(),
                time.monotonic(),
            )
            partner.say({name: getattr(told, name) for name in Head.__slots__})


async def _obey(node: DevelopmentNode, command: list[str]) -> None:
    match command:
        case ["mine"]:
            await node.mine()
        case ["grow", blocks]:
            _grow(node.chain, int(blocks))


def _grow(chain: Chain, blocks: int) -> None:
    held = list(chain.pool)
    for transaction in held:
        chain.drop(transaction.hash)
    *_, stranger = chain.accounts
    for number in range(blocks):
        for transaction in held[_share(held, number, blocks) : _share(held, number + 1, blocks)]:
            chain.add(transaction)
        for _ in range(FOREIGN_PER_BLOCK):
            chain.submit(stranger, stranger, 1)
        chain.mine()


def _share(held: list[Transaction], number: int, blocks: int) -> int:
    return len(held) * number // blocks


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
