"""The running demo: its nodes, payments and results, and waiting for the tracker."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from beamish import DynamicSupervisor
from transaction_tracker.domain import STATES, State, Tracked
from transaction_tracker.providers import Pool
from transaction_tracker.service import TransactionTrackerApplication
from transaction_tracker.tracker import SUPERVISOR, TransactionTracker
from txtrack_devnode.chain import Chain
from txtrack_devnode.demo.kinds import Payment, PaymentKind
from txtrack_devnode.demo.reports import CrashReports
from txtrack_devnode.demo.scenarios import ActivityCounter, FaultScenario, ScenarioResult
from txtrack_devnode.demo.screen import Screen
from txtrack_devnode.demo.snapshot import Snapshot
from txtrack_devnode.server import DevelopmentNode

TIMEOUT_SECONDS = 30.0
_FRAME_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Speed:
    """Seconds between blocks, and seconds for pause what was printed."""

    block: float
    pause: float

    @property
    def poll(self) -> float:
        """Poll interval of the tracker in seconds: one poll per block."""
        return self.block

    @property
    def deadline(self) -> float:
        """Timeout of a request in seconds."""
        return max(0.5, self.block)


SLOW = Speed(block=0.8, pause=2.5)
FAST = Speed(block=0.05, pause=0.0)


class DemoError(Exception):
    """The tracker did not reach an expected state in time."""


class Harness:
    """The running demo.

    Args:
        nodes: The nodes of the chain, in the order of the pool.
        pool: The provider pool of the tracker.
        app: The tracker application.
        screen: The output.
        reports: Captured log records.
        speed: Time between blocks.
    """

    def __init__(
        self,
        nodes: Sequence[DevelopmentNode],
        pool: Pool,
        app: TransactionTrackerApplication,
        screen: Screen,
        reports: CrashReports,
        speed: Speed,
    ) -> None:
        self.nodes = nodes
        self.chain: Chain = nodes[0].chain
        self.screen = screen
        self.reports = reports
        self.activity: ActivityCounter = ActivityCounter()
        self.results: list[ScenarioResult] = []
        self._pool = pool
        self._app = app
        self.payments: list[Payment] = []
        self.known: dict[str, Tracked] = {}
        self._speed = speed
        self._started = time.monotonic()

    def of(self, *kinds: PaymentKind) -> list[Payment]:
        """Return the payments of these kinds."""
        return [payment for payment in self.payments if payment.kind in kinds]

    async def advance(self) -> None:
        """Mine a block and wait for the time between blocks."""
        await self.nodes[0].mine()
        await asyncio.sleep(self._speed.block)

    async def mine(self) -> None:
        """Mine a block, wait for the time between blocks, and show the numbers."""
        await self.advance()
        if not self.screen.live:
            await self.show()

    async def pause(self) -> None:
        """Wait so that a person can read the output."""
        await asyncio.sleep(self._speed.pause)

    async def reach(self, payments: Collection[Payment], *states: State) -> None:
        """Wait until the tracker reports one of ``states`` for all payments."""
        await self.wait_until(
            lambda: all(self.known[payment.id].state in states for payment in payments),
            f"{len(payments)} payments to be {' or '.join(states)}",
        )

    async def wait_until(self, done: Callable[[], bool], description: str) -> None:
        """Wait until a condition holds.

        Raises:
            DemoError: The condition does not hold in time.
        """
        deadline = time.monotonic() + TIMEOUT_SECONDS
        await self.refresh()
        while not done():
            if time.monotonic() > deadline:
                raise DemoError(f"timed out after {TIMEOUT_SECONDS:g} s waiting for {description}")
            await asyncio.sleep(0.01)
            await self.refresh()

    @asynccontextmanager
    async def inject(self, scenario: FaultScenario) -> AsyncIterator[Callable[[], bool]]:
        """Inject a fault into the active node while the block runs, and store the result.

        If the tracker switches to the other node before the fault is triggered, the fault moves
        with it. The block gets a function that returns whether the fault has been triggered.
        """
        before = self._triggered()
        self.activity.reset()

        def triggered() -> bool:
            return self._triggered() > before

        def place(node: DevelopmentNode) -> None:
            if not triggered():
                self._clear_faults()
                node.faults.inject(scenario.fault)

        place(self._active_node())
        try:
            with self.activity.at_switches(lambda name: place(self._node(name))):
                yield triggered
        finally:
            self._clear_faults()
        self.results.append(self.activity.result(scenario, self._triggered() - before))
        await self._resume_providers()

    def _triggered(self) -> int:
        return sum(node.faults.counts.total() for node in self.nodes)

    def _clear_faults(self) -> None:
        for node in self.nodes:
            node.faults.clear()

    def _active_node(self) -> DevelopmentNode:
        names = [status.name for status in self._pool.status() if status.state == "active"]
        return self._node(names[0]) if names else self.nodes[0]

    def _node(self, name: str) -> DevelopmentNode:
        return self.nodes[[status.name for status in self._pool.status()].index(name)]

    async def _resume_providers(self) -> None:
        """Resume providers that are paused because of the fault, as an operator would."""
        for status in self._pool.status():
            if status.paused:
                await self._pool.resume(status.name)

    async def catch_up(self) -> None:
        """Wait until the tracker has applied the head."""
        await self.wait_until(self.at_the_head, f"block {self.chain.head.number} to be applied")

    def at_the_head(self) -> bool:
        """Return whether the tracker has applied the head."""
        return self._app.tip is not None and self._app.tip.hash == self.chain.head.hash

    def deadline_in(self, blocks: int) -> float:
        """Return the Unix time half a second after so many more blocks."""
        return time.time() + blocks * self._speed.block + 0.5

    async def refresh(self) -> None:
        """Get the status of all open payments from their trackers."""
        for payment in self.payments:
            known = self.known.get(payment.id)
            if known is None or not known.final:
                self.known[payment.id] = await TransactionTracker.status(payment.id)

    async def keep_showing(self) -> None:
        """Update the live panel until cancelled."""
        while self.screen.live:
            await self.show()
            await asyncio.sleep(_FRAME_SECONDS)

    async def show(self) -> None:
        """Show the current numbers."""
        await self.refresh()
        self.screen.show(await self.snapshot())

    async def snapshot(self) -> Snapshot:
        """Return the current numbers."""
        counts = Counter(tracked.state for tracked in self.known.values())
        children = await DynamicSupervisor.count_children(SUPERVISOR)
        return Snapshot(
            counts={state: counts[state] for state in STATES},
            height=self.chain.head.number,
            head_hash=self.chain.head.hash,
            trackers=children.active,
            restarts=self.reports.restarts,
            requests=sum(node.http_requests for node in self.nodes),
            seconds=time.monotonic() - self._started,
        )
