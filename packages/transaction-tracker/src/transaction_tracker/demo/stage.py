"""What the acts of the demonstration share: the node, the payments, the time between blocks."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass

from beamish import DynamicSupervisor
from transaction_tracker.demo.board import Board
from transaction_tracker.demo.kinds import Kind, Payment
from transaction_tracker.demo.reports import Reports
from transaction_tracker.demo.view import View
from transaction_tracker.domain import STATES, State, Tracked
from transaction_tracker.node import DevelopmentNode
from transaction_tracker.tracker import SUPERVISOR, TransactionTracker

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


SLOW = Tempo(block=0.8, reading=2.5)
FAST = Tempo(block=0.05, reading=0.0)


class DemoError(Exception):
    """Something that the story waits for did not come."""


class Stage:
    """The running demonstration.

    Args:
        node: The chain.
        view: Where it is shown.
        reports: What `beamish` logs.
        tempo: How fast it goes.
    """

    def __init__(self, node: DevelopmentNode, view: View, reports: Reports, tempo: Tempo) -> None:
        self.node = node
        self.chain = node.chain
        self.view = view
        self.reports = reports
        self.payments: list[Payment] = []
        self.known: dict[str, Tracked] = {}
        self._tempo = tempo
        self._began = time.monotonic()

    def of(self, *kinds: Kind) -> list[Payment]:
        """List the payments of these kinds."""
        return [payment for payment in self.payments if payment.kind in kinds]

    async def beat(self) -> None:
        """Mine a block, and let the time until the next one pass."""
        await self.node.mine()
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
            requests=self.node.http_requests,
            seconds=time.monotonic() - self._began,
        )
