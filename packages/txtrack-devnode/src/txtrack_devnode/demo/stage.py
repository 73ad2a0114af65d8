"""What the acts of the demonstration share: the node, the payments, the time between blocks."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from beamish import DynamicSupervisor
from transaction_tracker.application import TransactionTrackerApplication
from transaction_tracker.domain import STATES, State, Tracked
from transaction_tracker.providers import Pool
from transaction_tracker.tracker import SUPERVISOR, TransactionTracker
from txtrack_devnode.demo.board import Board
from txtrack_devnode.demo.kinds import Kind, Payment
from txtrack_devnode.demo.reports import Reports
from txtrack_devnode.demo.troubles import Episode, Trouble, Witness
from txtrack_devnode.demo.view import View
from txtrack_devnode.server import DevelopmentNode

PATIENCE = 30.0
_FRAME = 0.1


@dataclass(frozen=True, slots=True)
class Tempo:
    """Seconds between blocks, and seconds to read what was printed."""

    block: float
    reading: float

    @property
    def poll(self) -> float:
        """Seconds between the tracker's questions for the head: one for each block."""
        return self.block

    @property
    def deadline(self) -> float:
        """Seconds that a node may take for an answer."""
        return max(0.5, self.block)


SLOW = Tempo(block=0.8, reading=2.5)
FAST = Tempo(block=0.05, reading=0.0)


class DemoError(Exception):
    """Something that the story waits for did not come."""


class Stage:
    """The running demonstration.

    Args:
        nodes: Those that tell of the chain, in the order of the pool.
        pool: Which of them is followed.
        app: Who listens to them.
        view: Where it is shown.
        reports: What `beamish` logs.
        tempo: How fast it goes.
    """

    def __init__(
        self,
        nodes: Sequence[DevelopmentNode],
        pool: Pool,
        app: TransactionTrackerApplication,
        view: View,
        reports: Reports,
        tempo: Tempo,
    ) -> None:
        self.nodes = nodes
        self.chain = nodes[0].chain
        self.view = view
        self.reports = reports
        self.witness = Witness()
        self.episodes: list[Episode] = []
        self._pool = pool
        self._app = app
        self.payments: list[Payment] = []
        self.known: dict[str, Tracked] = {}
        self._tempo = tempo
        self._began = time.monotonic()

    def of(self, *kinds: Kind) -> list[Payment]:
        """List the payments of these kinds."""
        return [payment for payment in self.payments if payment.kind in kinds]

    async def beat(self) -> None:
        """Mine a block, and let the time until the next one pass."""
        await self.nodes[0].mine()
        await asyncio.sleep(self._tempo.block)
        if not self.view.live:
            await self.show()

    async def read(self) -> None:
        """Give the reader time."""
        await asyncio.sleep(self._tempo.reading)

    async def reach(self, payments: Collection[Payment], *states: State) -> None:
        """Wait until the tracker knows all payments to be in one of ``states``."""
        await self.until(
            lambda: all(self.known[payment.id].state in states for payment in payments),
            f"{len(payments)} payments to be {' or '.join(states)}",
        )

    async def until(self, done: Callable[[], bool], what: str) -> None:
        """Wait for something that must come."""
        deadline = time.monotonic() + PATIENCE
        await self.refresh()
        while not done():
            if time.monotonic() > deadline:
                raise DemoError(f"waited {PATIENCE:g} s in vain for {what}")
            await asyncio.sleep(0.01)
            await self.refresh()

    @asynccontextmanager
    async def trouble(self, trouble: Trouble) -> AsyncIterator[None]:
        """Let the node that is followed misbehave meanwhile, and note what came of it."""
        node = self._followed()
        before = node.faults.counts.total()
        self.witness.begin()
        node.faults.inject(trouble.fault)
        try:
            yield
        finally:
            node.faults.clear()
        struck = node.faults.counts.total() - before
        self.episodes.append(self.witness.tell(trouble, struck))
        await self._resume()

    def _followed(self) -> DevelopmentNode:
        states = [status.state for status in self._pool.status()]
        return self.nodes[states.index("active") if "active" in states else 0]

    async def _resume(self) -> None:
        """Do what an operator does who has mended a node, and will not wait for its pause."""
        for status in self._pool.status():
            if status.paused:
                await self._pool.resume(status.name)

    async def catch_up(self) -> None:
        """Wait until the tracker has applied the head."""

        def at_the_head() -> bool:
            return self._app.tip is not None and self._app.tip.hash == self.chain.head.hash

        await self.until(at_the_head, f"block {self.chain.head.number} to be applied")

    def deadline_in(self, blocks: int) -> float:
        """Give the Unix time by which so many blocks will be there, and half a second more."""
        return time.time() + blocks * self._tempo.block + 0.5

    async def refresh(self) -> None:
        """Ask the trackers of all open payments for what they know."""
        for payment in self.payments:
            known = self.known.get(payment.id)
            if known is None or not known.final:
                self.known[payment.id] = await TransactionTracker.status(payment.id)

    async def keep_showing(self) -> None:
        """Keep a live board up to date until cancelled."""
        while self.view.live:
            await self.show()
            await asyncio.sleep(_FRAME)

    async def show(self) -> None:
        """Show this moment."""
        await self.refresh()
        self.view.show(await self.board())

    async def board(self) -> Board:
        """Collect the numbers of this moment."""
        counts = Counter(tracked.state for tracked in self.known.values())
        children = await DynamicSupervisor.count_children(SUPERVISOR)
        return Board(
            counts={state: counts[state] for state in STATES},
            height=self.chain.head.number,
            head_hash=self.chain.head.hash,
            trackers=children.active,
            restarts=self.reports.restarts,
            requests=sum(node.http_requests for node in self.nodes),
            seconds=time.monotonic() - self._began,
        )
