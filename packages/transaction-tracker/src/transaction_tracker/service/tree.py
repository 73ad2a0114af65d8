"""The supervision tree of the service."""

import asyncio
import socket
from contextlib import AsyncExitStack
from typing import Literal, Self, cast

from beamish import (
    Application,
    Backoff,
    ChildSpec,
    DynamicSupervisor,
    Pid,
    Registry,
    telemetry,
)
from transaction_tracker.alerts import (
    ALERTS,
    MAX_PARKED_ALERTS,
    AlertBoard,
    AlertContext,
    Alerts,
    ServiceView,
)
from transaction_tracker.api import WEB, EventSignals, Following, Service, Web
from transaction_tracker.delivery import OUTBOX, DeliveryContext, Outbox, wake
from transaction_tracker.delivery.listener import LISTENER, EventListener, OnEvent
from transaction_tracker.domain import MARGIN, BlockRef
from transaction_tracker.follower import (
    REBROADCASTER,
    WATCHDOG,
    Follower,
    FollowerStatus,
    Poller,
    Rebroadcaster,
    Reports,
    Watchdog,
)
from transaction_tracker.metrics import Gauges, Metrics
from transaction_tracker.net import AllowList, CheckedClient
from transaction_tracker.providers import Pool, SubscriptionTimeouts
from transaction_tracker.providers.choice import best_head
from transaction_tracker.providers.clients import bitcoin_client, ethereum_client
from transaction_tracker.service.metrics import blocks_behind, read_gauges
from transaction_tracker.service.notify import ready
from transaction_tracker.service.retention import RETENTION, Retention
from transaction_tracker.service.settings import Settings
from transaction_tracker.service.starting import Boot, Connection
from transaction_tracker.slices import Slices
from transaction_tracker.sources import ChainSource, PolledSource, has_blocks
from transaction_tracker.sources.bitcoin import BitcoinSource
from transaction_tracker.sources.bitcoin.networks import BLOCK_TIME_SECONDS
from transaction_tracker.sources.ethereum import EthereumSource
from transaction_tracker.sources.ethereum.profiles import UNKNOWN
from transaction_tracker.store import STORE, LeaseHolder, OpenTransactions, Store, Stored
from transaction_tracker.store.owned import unlimited
from transaction_tracker.store.url import DatabaseUrl
from transaction_tracker.tracker import (
    FOLLOWER,
    REGISTRY,
    SUPERVISOR,
    TrackerContext,
    TransactionTracker,
    via,
)

# A faulty source crashes many trackers at once, for minutes. A tracker restarts soon after its
# first crash, later with an increasing delay, and is parked if it keeps crashing.
RESTART_BACKOFF = Backoff(initial=0.05, factor=2.0, maximum=30.0, jitter=0.1, reset_after=60.0)
MAX_RESTARTS = 5
MAX_SECONDS = 60.0
# Blocks kept if a tag makes states final: the chain sets tags about two epochs (64 blocks) late.
_FINALITY_BLOCKS = 96


class TransactionTrackerApplication(Application):
    """Track transactions while it runs, in any asyncio program.

    Args:
        settings: The settings, with the nodes and the database.
        on_event: Called for each event; can be ``async``.
        source: Source of the transactions. Default: the nodes of the settings.
        pool: Provider pool. Default: a pool for the nodes of the settings.
        holder: Owns a PostgreSQL database by a lease, so that another program can take over.
            Default: owns the database until it stops.
        listener: Listening socket of the HTTP API, which stays open. Default: one at the address
            of the settings.

    Raises:
        ValueError: There is neither a node nor another source.
        StartError: When it starts: no node answers, all are on another chain, or the database
            cannot be used. Its cause has the details.
    """

    strategy: Literal["one_for_one", "one_for_all", "rest_for_one"] = "rest_for_one"

    def __init__(
        self,
        settings: Settings,
        *,
        on_event: OnEvent | None = None,
        source: ChainSource | PolledSource | None = None,
        pool: Pool | None = None,
        holder: LeaseHolder | None = None,
        listener: socket.socket | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings
        self._holder = holder
        self._owned_for = unlimited if holder is None else holder.owned_for
        self._socket = listener
        self.pool = pool
        self._own_pool: Pool | None = None
        self.source: ChainSource | PolledSource = source or self._chain()
        self._on_event = on_event
        self._open_transactions = OpenTransactions()
        self._status = FollowerStatus(self._best_head)
        self._reports = Reports()
        self._feed = EventSignals()
        self._metrics = Metrics()
        self._alerts = AlertBoard()
        self._notifying = AsyncExitStack()

    @property
    def tip(self) -> BlockRef | None:
        """The last applied block; ``None`` before the first."""
        return self._open_transactions.tip

    @property
    def open(self) -> int:
        """Number of transactions that are not final."""
        return len(self._open_transactions)

    async def metrics_page(self) -> bytes:
        """Return the metrics in Prometheus text format, without the gauges of the HTTP API.

        They are counted while the application runs with ``Settings.metrics`` or ``Settings.web``.
        """
        gauges = await self._gauges()
        # In a thread: counting a million processes would block the event loop.
        return await asyncio.to_thread(self._metrics.render, gauges)

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        if self.settings.metrics or self.settings.web is not None:
            self._metrics.attach()
        if self.settings.notify_systemd:
            await self._notifying.enter_async_context(ready())
        return self

    async def prep_stop(self) -> None:
        """Notify systemd before the tree stops."""
        await self._notifying.aclose()

    def stop(self) -> None:
        """Stop counting metrics."""
        self._metrics.detach()

    def children(self) -> list[ChildSpec]:
        """Return the child specifications in start order.

        rest_for_one: each child depends on those before it. If the store or the registry stops,
        the trackers stop too, and ``Boot`` starts them again from their rows.
        """
        return [
            # Before all that it reports about: it keeps running while they restart.
            Alerts.child_spec(self._alert_context(), name=ALERTS),
            self._store(),
            Registry.child_spec(
                keys="unique", name=REGISTRY, meta={TrackerContext.KEY: self._context()}
            ),
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
            # Before the follower: when the first block is applied, every tracker must be running.
            Boot.child_spec(self.source, listens=self._on_event is not None),
            self._follower(),
            # After the follower, whose clock it starts; both restart together.
            Watchdog.child_spec(self._status, self._reports, self._verdict_time, name=WATCHDOG),
            *self._rebroadcaster(),
            *self._listener(),
            Outbox.child_spec(self._outbox(), name=OUTBOX),
            *self._retention(),
            *self._web(),
        ]

    def _store(self) -> ChildSpec:
        settings = self.settings
        spec = Store.child_spec(
            settings.database,
            self._open_transactions,
            self._announce,
            migrate=settings.migrate,
            holder=self._holder,
            name=STORE,
        )
        # With a lease, `standby.Standby` stops the application, and decides when to start again.
        return spec if self._holder is None else spec.replace(restart="temporary")

    def _chain(self) -> ChainSource:
        settings = self.settings
        is_bitcoin = settings.type == "bitcoin"
        if self.pool is None:
            expected = BLOCK_TIME_SECONDS if is_bitcoin else settings.chain_profile().block_time
            timeouts = SubscriptionTimeouts(block_time=settings.block_time or expected)
            self.pool = self._own_pool = Pool(
                settings.endpoints,
                chain_id=settings.network if is_bitcoin else settings.chain_id,
                hints=FOLLOWER,
                timeouts=timeouts,
                create=bitcoin_client if is_bitcoin else ethereum_client,
            )
        if is_bitcoin:
            return BitcoinSource(self.pool, settings.network)
        return EthereumSource(
            self.pool, settings.chain_id, profile=settings.profile.changes, errors=settings.errors
        )

    def _source_checked(self) -> None:
        """Check the settings against the chain, and set the block time of our own pool."""
        if has_blocks(self.source):
            self.source.check_required(self.settings.confirmations)
        if self._own_pool is not None:
            self._own_pool.set_block_time(self._block_time())

    def _context(self) -> TrackerContext:
        settings = self.settings
        return TrackerContext(
            self.source,
            self._open_transactions,
            settings.confirmations,
            settings.policy,
            settings.expires_after,
            settings.follow_repriced,
            settings.rebroadcast,
        )

    def _providers(self) -> list[ChildSpec]:
        return [] if self.pool is None else [self.pool.child_spec()]

    def _follower(self) -> ChildSpec:
        settings = self.settings
        if not has_blocks(self.source):
            return Poller.child_spec(
                cast("PolledSource", self.source),
                self._open_transactions,
                settings.policy,
                self._status,
                poll_interval=settings.poll_interval,
                name=FOLLOWER,
            )
        required = settings.confirmations
        keep = (_FINALITY_BLOCKS if isinstance(required, str) else required) + MARGIN
        return Follower.child_spec(
            self.source,
            self._open_transactions,
            settings.policy,
            self._status,
            poll_interval=settings.poll_interval,
            keep=keep,
            sweep_budget=settings.sweep_budget,
            block_time=self._block_time,
            name=FOLLOWER,
        )

    def _rebroadcaster(self) -> list[ChildSpec]:
        if not (self.settings.rebroadcast and has_blocks(self.source)):
            return []
        return [Rebroadcaster.child_spec(self.source, name=REBROADCASTER)]

    def _listener(self) -> list[ChildSpec]:
        if self._on_event is None:
            return []
        owned_for = self._owned_for
        return [EventListener.child_spec(self._on_event, owned_for=owned_for, name=LISTENER)]

    def _outbox(self) -> DeliveryContext:
        return DeliveryContext(
            self._webhook_client(),
            failing_threshold=self.settings.alerts.endpoint_failures,
            owned_for=self._owned_for,
        )

    def _webhook_client(self) -> CheckedClient:
        return CheckedClient(AllowList.of(self.settings.allow_private))

    def _alert_context(self) -> AlertContext:
        url = DatabaseUrl.of(self.settings.database)
        return AlertContext(
            board=self._alerts,
            look=self._service_view,
            options=self.settings.alerts,
            client=self._webhook_client(),
            database=None if url.is_postgresql else url.path,
        )

    def _service_view(self) -> ServiceView | None:
        if not self._status.has_begun:
            return None  # the source can have no name yet, and a long start is not a halt
        status, block_time = self._status, self._verdict_time()
        now, census = status.now(), self._open_transactions.census
        verdict = status.verdict(now, block_time)
        return ServiceView(
            source=self.source.name,
            verdict=verdict,
            verdict_seconds=now - verdict.since,
            block_time=block_time,
            blocks_behind=blocks_behind(status.head, self._open_transactions),
            providers=() if self.pool is None else self.pool.status(),
            parked=census.parked_errors(MAX_PARKED_ALERTS),
            parked_count=census.parked,
        )

    def _retention(self) -> list[ChildSpec]:
        if self.settings.retention is None:
            return []
        return [Retention.child_spec(self.settings.retention, name=RETENTION)]

    def _web(self) -> list[ChildSpec]:
        if self.settings.web is None:
            return []
        return [Web.child_spec(self._service(), self.settings.web, self._socket, name=WEB)]

    def _service(self) -> Service:
        return Service(
            following=self._following,
            gauges=self._gauges,
            providers=self.pool,
            resume_deliveries=resume_deliveries,
            feed=self._feed,
            metrics=self._metrics,
            alerts=self._alerts,
            source_name=lambda: self.source.name if self._status.has_begun else None,
            is_postgresql=DatabaseUrl.of(self.settings.database).is_postgresql,
            flow_limits=self.settings.alerts.flow_limits,
            id_pattern=self.source.id_pattern,
            owned_for=self._owned_for,
        )

    def _block_time(self) -> float:
        """Return the configured block time, or that of the chain's profile.

        Without a configured chain id, the profile is known only after the first check.
        """
        if self.settings.block_time is not None:
            return self.settings.block_time
        source = self.source
        if isinstance(source, BitcoinSource):
            return BLOCK_TIME_SECONDS
        return (source.profile if isinstance(source, EthereumSource) else UNKNOWN).block_time

    def _verdict_time(self) -> float:
        """Return the expected seconds between two heads: block time or poll interval.

        Blocks that are found by chance come at random: five block times pass without one every day
        or so, and fifteen almost never.
        """
        is_random = isinstance(self.source, BitcoinSource)
        return max(self._block_time() * (3 if is_random else 1), self.settings.poll_interval)

    def _best_head(self) -> int | None:
        """Return the highest head of any healthy provider.

        Of three or more heads, it is the second highest: a single provider with a wrong head must
        not make the others look stuck.
        """
        statuses = [] if self.pool is None else self.pool.status()
        heads = [status.head for status in statuses if status.healthy]
        return best_head([head for head in heads if head is not None])

    def _following(self) -> Following:
        status = self._status
        now = status.now()
        return Following(
            head=status.head,
            heard_seconds=None if status.heard_at is None else now - status.heard_at,
            applied_seconds=None if status.applied_at is None else now - status.applied_at,
            ends_held=status.held_reason is not None,
            verdict=status.verdict(now, self._verdict_time()),
            now=now,
        )

    async def _gauges(self) -> Gauges:
        return await read_gauges(self._following(), self._alerts)

    async def _announce(self, stored: Stored) -> None:
        """Send the stored states of a part to the trackers, and announce its events."""
        for tracked in stored.rows:
            TransactionTracker.settle(via(tracked.id), tracked)
        self._feed.announce(stored)
        async for events in Slices(stored.events):
            for event in events:
                facts = {"previous": event.previous, "state": event.tracked.state}
                telemetry.execute(("transaction_tracker", "transition"), {}, facts)
        if stored.events:
            EventListener.wake()
            wake()


async def resume_deliveries() -> None:
    """Resume the deliveries that a finality violation paused."""
    await Store.resume_deliveries()
    EventListener.wake()
    wake()


def park(spec: ChildSpec, _pid: Pid, reason: object) -> None:
    """Park the transaction of a tracker that kept crashing, unless it has a running tracker."""
    key = spec.args[0]
    if TransactionTracker.lookup(key) is None:
        Store.park(key, describe(reason))


def describe(reason: object) -> str:
    """Return an exit reason as one line of text."""
    if isinstance(reason, BaseException):
        return f"{type(reason).__name__}: {reason}"
    return str(reason)
