"""The supervision tree."""

import time
from collections.abc import Callable
from typing import Any, cast

from beamish import (
    IGNORE,
    Application,
    Backoff,
    ChildSpec,
    DynamicSupervisor,
    GenServer,
    Pid,
    Registry,
    telemetry,
)
from transaction_tracker.api import WEB, Feed, Following, Service, Web
from transaction_tracker.application.settings import Settings
from transaction_tracker.domain import MARGIN, BlockRef
from transaction_tracker.follower import (
    WATCHDOG,
    Follower,
    FollowerStatus,
    Poller,
    Reports,
    Watchdog,
)
from transaction_tracker.listener import LISTENER, Listener, OnEvent
from transaction_tracker.metrics import Metrics
from transaction_tracker.net import AllowList, CheckedClient
from transaction_tracker.outbox import OUTBOX, DeliveryContext, Outbox, wake
from transaction_tracker.providers import Pool, Rhythm
from transaction_tracker.providers.choice import best_head
from transaction_tracker.sources import ChainSource, PolledSource, has_blocks
from transaction_tracker.sources.ethereum import EthereumSource
from transaction_tracker.sources.ethereum.profiles import UNKNOWN, profile_of
from transaction_tracker.sources.ethereum.proof import Known
from transaction_tracker.store import STORE, Book, Store, Stored
from transaction_tracker.store.uncollected import uncollected
from transaction_tracker.tracker import (
    FOLLOWER,
    REGISTRY,
    SUPERVISOR,
    Context,
    TransactionTracker,
    via,
)

# Sources misbehave in masses and for minutes: a tracker comes back at once after its first
# crash, then ever later, and is parked when it goes on crashing.
RESTART_BACKOFF = Backoff(initial=0.05, factor=2.0, maximum=30.0, jitter=0.1, reset_after=60.0)
MAX_RESTARTS = 5
MAX_SECONDS = 60.0
# Blocks kept for those that wait for the chain's own word, which comes two epochs late.
_FINALITY_BLOCKS = 96


class Connection(GenServer):
    """Check the source before anything that needs it starts; close it after all have stopped.

    Args:
        source: Where the transactions live.
        checked: Called after each check that succeeds; may refuse the chain.
    """

    def __init__(
        self, source: ChainSource | PolledSource, checked: Callable[[], None] = lambda: None
    ) -> None:
        self._source = source
        self._checked = checked

    async def init(self) -> None:
        """Check that the source is that of the database, before anything is changed."""
        try:
            await self._check()
            self._checked()
        except BaseException:
            await self._source.close()  # a start that fails has no terminate
            raise

    async def terminate(self, _reason: object) -> None:
        """Close the connections."""
        await self._source.close()

    async def _check(self) -> None:
        # A source that answered once may be away later: it is not asked after a crash of ours.
        if isinstance(self._source, EthereumSource):
            await self._source.check(known=await _known())
        else:
            await self._source.check()


async def _known() -> Known:
    """Read what the database knows of its chain."""
    stored = await Store.identity()
    if stored is None:
        return Known()
    name, anchor = stored
    return Known(anchor, tuple(link.ref for link in await Store.links(name)), name)


class Boot(GenServer):
    """Start the trackers of all open transactions, and be gone.

    Args:
        source: Whose transactions they are.
        listens: Whether somebody is told of every event from now on.
    """

    def __init__(self, source: ChainSource | PolledSource, *, listens: bool) -> None:
        self._source = source
        self._listens = listens

    async def init(self) -> Any:
        """Do it while the tree starts: whoever runs the application finds all trackers there."""
        anchor = self._source.anchor if isinstance(self._source, EthereumSource) else None
        await Store.claim(self._source.name, anchor)
        if self._listens:
            await Listener.begin()  # before anything can happen that it has to be told
        with uncollected():
            await TransactionTracker.start_all_pending()
        return IGNORE


class TransactionTrackerApplication(Application):
    """Follow transactions for as long as it runs, in any asyncio program.

    Args:
        settings: Where the nodes are, and the rest.
        on_event: Called for every transition; may be ``async``.
        source: Where the transactions live, when that is none of the settings' nodes.
        pool: Who asks the nodes, when that is to be somebody who does it in another way.

    Raises:
        ValueError: There is neither a node nor another source.
        StartError: When it starts: no node gives an answer or all are on another chain, or the
            database cannot be used. The error below it says which.
    """

    strategy = "rest_for_one"

    def __init__(
        self,
        settings: Settings,
        *,
        on_event: OnEvent | None = None,
        source: ChainSource | PolledSource | None = None,
        pool: Pool | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.pool = pool
        self._own_pool: Pool | None = None
        self.source: ChainSource | PolledSource = source or self._ethereum()
        self._on_event = on_event
        self._book = Book()
        self._status = FollowerStatus(self._best_head)
        self._reports = Reports()
        self._feed = Feed()
        self._metrics = Metrics()

    @property
    def tip(self) -> BlockRef | None:
        """The highest block that was applied; ``None`` before the first."""
        return self._book.tip

    @property
    def open(self) -> int:
        """How many transactions have not ended."""
        return len(self._book)

    def children(self) -> list[ChildSpec]:
        """List the tree in the order it starts in.

        rest_for_one: what stands below rests on what stands above. When the store or the
        registry goes, the trackers go too, and ``Boot`` starts them again from their rows.
        """
        settings = self.settings
        return [
            Store.child_spec(
                settings.database, self._book, self._announce, migrate=settings.migrate, name=STORE
            ),
            Registry.child_spec(keys="unique", name=REGISTRY, meta={Context.KEY: self._context()}),
            *self._providers(),
            Connection.child_spec(self.source, self._source_checked),
            DynamicSupervisor.child_spec(
                name=SUPERVISOR,
                intensity="child",
                max_restarts=MAX_RESTARTS,
                max_seconds=MAX_SECONDS,
                backoff=RESTART_BACKOFF,
                on_give_up=park,
            ),
            # Before the first block is applied every tracker is there to hear of it.
            Boot.child_spec(self.source, listens=self._on_event is not None),
            self._follower(),
            # After the follower, whose clock it starts; both restart together.
            Watchdog.child_spec(self._status, self._reports, self._verdict_time, name=WATCHDOG),
            *self._listener(),
            Outbox.child_spec(self._outbox(), name=OUTBOX),
            *self._web(),
        ]

    def _ethereum(self) -> ChainSource:
        settings = self.settings
        if self.pool is None:
            expected = profile_of(settings.chain_id, settings.profile).block_time
            rhythm = Rhythm(block_time=settings.block_time or expected)
            self.pool = self._own_pool = Pool(
                settings.endpoints, chain_id=settings.chain_id, hints=FOLLOWER, rhythm=rhythm
            )
        return EthereumSource(
            self.pool, settings.chain_id, profile=settings.profile, errors=settings.errors
        )

    def _source_checked(self) -> None:
        """Check the settings against the chain, which is known now, and pace our own pool by it."""
        if has_blocks(self.source):
            self.source.check_required(self.settings.confirmations)
        if self._own_pool is not None:
            self._own_pool.pace(self._block_time())

    def _context(self) -> Context:
        settings = self.settings
        return Context(
            self.source,
            self._book,
            settings.confirmations,
            settings.policy,
            settings.expires_after,
            settings.follow_repriced,
        )

    def _providers(self) -> list[ChildSpec]:
        return [] if self.pool is None else [self.pool.child_spec()]

    def _follower(self) -> ChildSpec:
        settings = self.settings
        if not has_blocks(self.source):
            return Poller.child_spec(
                cast("PolledSource", self.source),
                self._book,
                settings.policy,
                self._status,
                poll_interval=settings.poll_interval,
                name=FOLLOWER,
            )
        required = settings.confirmations
        keep = (_FINALITY_BLOCKS if isinstance(required, str) else required) + MARGIN
        return Follower.child_spec(
            self.source,
            self._book,
            settings.policy,
            self._status,
            poll_interval=settings.poll_interval,
            keep=keep,
            sweep_budget=settings.sweep_budget,
            block_time=self._block_time,
            name=FOLLOWER,
        )

    def _listener(self) -> list[ChildSpec]:
        if self._on_event is None:
            return []
        return [Listener.child_spec(self._on_event, name=LISTENER)]

    def _outbox(self) -> DeliveryContext:
        return DeliveryContext(CheckedClient(AllowList.of(self.settings.allow_private)))

    def _web(self) -> list[ChildSpec]:
        if self.settings.web is None:
            return []
        return [Web.child_spec(self._service(), self.settings.web, name=WEB)]

    def _service(self) -> Service:
        return Service(
            following=self._following,
            providers=self.pool,
            resume_deliveries=resume_deliveries,
            feed=self._feed,
            metrics=self._metrics,
            id_pattern=self.source.id_pattern,
        )

    def _block_time(self) -> float:
        """Return the configured block time, or else that of the chain's profile.

        Without a configured chain id, the profile is known after the first check only.
        """
        if self.settings.block_time is not None:
            return self.settings.block_time
        source = self.source
        return (source.profile if isinstance(source, EthereumSource) else UNKNOWN).block_time

    def _verdict_time(self) -> float:
        """Return the seconds from block to block, as far as questions for the head show them."""
        return max(self._block_time(), self.settings.poll_interval)

    def _best_head(self) -> int | None:
        """Return the highest head of any healthy provider.

        Of three or more it is the second highest: one provider that reports a head that nobody
        else has seen must not make the others look stuck.
        """
        statuses = [] if self.pool is None else self.pool.status()
        heads = [status.head for status in statuses if status.healthy]
        return best_head([head for head in heads if head is not None])

    def _following(self) -> Following:
        now, status = time.monotonic(), self._status
        return Following(
            head=status.head,
            heard_seconds=None if status.heard_at is None else now - status.heard_at,
            applied_seconds=None if status.applied_at is None else now - status.applied_at,
            ends_held=status.held_reason is not None,
            verdict=status.verdict(now, self._verdict_time()),
        )

    def _announce(self, stored: Stored) -> None:
        """Tell the trackers what was stored of their transactions, and the others why."""
        for tracked in stored.rows:
            TransactionTracker.settle(via(tracked.id), tracked)
        self._feed.announce(stored)
        for event in stored.events:
            facts = {"previous": event.previous, "state": event.tracked.state}
            telemetry.execute(("transaction_tracker", "transition"), {}, facts)
        if stored.events:
            Listener.wake()
            wake()


async def resume_deliveries() -> None:
    """Tell of events again, after a finality violation had stopped that."""
    await Store.thaw()
    Listener.wake()
    wake()


def park(spec: ChildSpec, _pid: Pid, reason: object) -> None:
    """Note why a tracker was given up, unless another one follows its transaction."""
    key = spec.args[0]
    if TransactionTracker.lookup(key) is None:
        Store.park(key, describe(reason))


def describe(reason: object) -> str:
    """Say in a line what a process died of."""
    if isinstance(reason, BaseException):
        return f"{type(reason).__name__}: {reason}"
    return str(reason)
