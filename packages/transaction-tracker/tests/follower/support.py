"""A source without blocks whose replies a test sets, and an application that follows it."""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from beamish import IGNORE, Application, ChildSpec, DynamicSupervisor, GenServer, Registry
from transaction_tracker.domain import InvalidTransactionError, Policy, Reported, Tracked
from transaction_tracker.follower import FollowerStatus, Poller
from transaction_tracker.sources.polled import FeedLostError, LookUpResult, Page, PollingPolicy
from transaction_tracker.store import STORE, OpenTransactions, Store, Stored
from transaction_tracker.tracker import (
    FOLLOWER,
    REGISTRY,
    SUPERVISOR,
    TrackerContext,
    TransactionTracker,
    Until,
    via,
)

from ..simulated import simulate  # noqa: TID252
from ..world.clock import virtual_clock  # noqa: TID252 - the clock of all tests

PATIENCE = 50.0
FAST: dict[str, Any] = {
    "first_delay": 0.002,
    "longest_delay": 0.01,
    "watch_first_delay": 0.005,
    "watch_longest_delay": 0.01,
    "feed_interval": 0.005,
}

PENDING = Reported("pending")
CONFIRMED = Reported("confirmed")
FAILED = Reported("failed", "no funds")
REVERSED = Reported("reversed", "by its sender")


class FakeSource:
    """Replies from lists: each reply once, then the last reply each time."""

    def __init__(self, *, ids_per_request: int = 1, in_flight: int = 8, **policy: Any) -> None:
        self.name = "http:fake"
        self.policy = PollingPolicy(**(FAST | policy))
        self.ids_per_request = ids_per_request
        self.in_flight = in_flight
        self.look_ups: list[tuple[float, tuple[str, ...]]] = []
        self.has_feed = False
        self.asked: defaultdict[str, int] = defaultdict(int)
        self.replies: dict[str, list[LookUpResult]] = {}
        self.default_reply: LookUpResult = PENDING
        self.held: dict[str, asyncio.Event] = {}
        self.pages: dict[str | None, Page] = {}
        self.pages_read: list[str | None] = []

    @property
    def requests(self) -> int:
        return len(self.look_ups)

    def times(self, transaction: str) -> list[float]:
        return [time for time, ids in self.look_ups if transaction in ids]

    def set_replies(self, transaction: str, *replies: LookUpResult) -> None:
        self.replies[transaction] = list(replies)

    def identify(self, text: str) -> str:
        if not text.startswith("t"):
            raise InvalidTransactionError(f"an id must begin with t, got {text!r}")
        return text

    async def check(self, *, again: bool = False) -> None:
        pass

    async def close(self) -> None:
        pass

    async def look_up(self, ids: Collection[str]) -> dict[str, LookUpResult]:
        self.look_ups.append((asyncio.get_running_loop().time(), tuple(ids)))
        replies: dict[str, LookUpResult] = {}
        for key in ids:
            self.asked[key] += 1
            replies[key] = self._reply(key)
            if key in self.held:
                await self.held[key].wait()
        return replies

    async def read_feed(self, cursor: str | None) -> Page:
        self.pages_read.append(cursor)
        if cursor not in self.pages:
            raise FeedLostError("HTTP 410")
        return self.pages[cursor]

    def _reply(self, key: str) -> LookUpResult:
        replies = self.replies.get(key, [])
        if len(replies) > 1:
            return replies.pop(0)
        return replies[0] if replies else self.default_reply


class Boot(GenServer):
    """Start the trackers of all open transactions."""

    def __init__(self, source: FakeSource) -> None:
        self._source = source

    async def init(self) -> Any:
        await Store.claim(self._source.name)
        await TransactionTracker.start_all_pending()
        return IGNORE


@dataclass
class Tree(Application):
    """The part of the application that a source without blocks needs."""

    source: FakeSource
    database: str | Path = ":memory:"
    open_transactions: OpenTransactions = field(default_factory=OpenTransactions)
    status: FollowerStatus = field(default_factory=FollowerStatus)
    strategy = "rest_for_one"

    def children(self) -> list[ChildSpec]:
        context = TrackerContext(self.source, self.open_transactions, 1)
        return [
            Store.child_spec(self.database, self.open_transactions, announce, name=STORE),
            Registry.child_spec(keys="unique", name=REGISTRY, meta={TrackerContext.KEY: context}),
            DynamicSupervisor.child_spec(name=SUPERVISOR, intensity="child"),
            Boot.child_spec(self.source),
            Poller.child_spec(
                self.source,
                self.open_transactions,
                Policy(),
                self.status,
                poll_interval=0.002,
                name=FOLLOWER,
            ),
        ]


async def announce(stored: Stored) -> None:
    for tracked in stored.rows:
        TransactionTracker.settle(via(tracked.id), tracked)


def play(main: Callable[[], Awaitable[None]]) -> None:
    """Run ``main`` on a virtual clock, so that a busy machine lengthens no delay."""

    async def body() -> None:
        with virtual_clock():
            await main()

    simulate(body, max_steps=1_000_000)


@asynccontextmanager
async def following(source: FakeSource, database: str | Path = ":memory:") -> AsyncIterator[Tree]:
    tree = Tree(source, database)
    Application.__init__(tree)
    async with tree:
        yield tree


async def reach(transaction: str, until: Until) -> Tracked:
    """Wait until a transaction is in a state, and check that it is in no other."""
    tracked = await TransactionTracker.wait(transaction, until=until, timeout=PATIENCE)
    assert until in (tracked.state, "terminal"), tracked
    return tracked


async def becomes(transaction: str, state: str) -> Tracked:
    """Wait until a transaction is in a state, also if it was final before."""
    async with asyncio.timeout(PATIENCE):
        while (tracked := await TransactionTracker.status(transaction)).state != state:
            await asyncio.sleep(0.002)
    return tracked


async def eventually(condition: Callable[[], object]) -> None:
    """Wait for a condition about which no message is sent."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.002)


async def asked_again(source: FakeSource, transaction: str, times: int = 3) -> None:
    """Wait until the source was asked about a transaction several more times."""
    until = source.asked[transaction] + times
    await eventually(lambda: source.asked[transaction] >= until)


async def history(transaction: str) -> list[str]:
    """Return the states of a transaction, the oldest first."""
    return [state for _, state in await Store.history(transaction)]


def soon() -> float:
    """Return a deadline that has passed before the source can be asked."""
    return time.time() + 0.001
