"""The supervision tree of the service."""

import asyncio
import socket
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Literal, Self

from beamish import (
    Application,
    ChildSpec,
    DynamicSupervisor,
    Registry,
    Supervisor,
    telemetry,
)
from transaction_tracker.alerts import (
    ALERTS,
    AlertBoard,
    AlertContext,
    Alerts,
    ServiceFacts,
)
from transaction_tracker.api import WEB, EventSignals, Service, Web
from transaction_tracker.delivery import OUTBOX, DeliveryContext, Outbox, wake
from transaction_tracker.delivery.listener import LISTENER, EventListener, OnEvent
from transaction_tracker.domain import BlockRef
from transaction_tracker.metrics import Gauges, Metrics
from transaction_tracker.net import AllowList, CheckedClient
from transaction_tracker.providers import Pool
from transaction_tracker.service.controls import SourceControl, SourceProviders
from transaction_tracker.service.metrics import SourceReading, lease_gauges, read_gauges
from transaction_tracker.service.notify import ready
from transaction_tracker.service.retention import RETENTION, Retention
from transaction_tracker.service.runner import (
    RUNNERS,
    SOURCES,
    START_SECONDS,
    SourceRunner,
    WaitForSources,
)
from transaction_tracker.service.settings import Settings
from transaction_tracker.service.source_tree import SourceTree
from transaction_tracker.slices import Slices
from transaction_tracker.sources import ChainSource, PolledSource
from transaction_tracker.sources.http_polling import HttpPollingSource
from transaction_tracker.store import (
    STORE,
    LeaseHolder,
    OpenBySource,
    OpenTransactions,
    Store,
    Stored,
)
from transaction_tracker.store.owned import unlimited
from transaction_tracker.store.url import DatabaseUrl
from transaction_tracker.tracker import (
    REGISTRY,
    Sources,
    TrackerContext,
    TransactionTracker,
    via,
)


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
        self._on_event = on_event
        self._trees = self._source_trees(source, pool)
        # Of several sources; they have names before they are connected.
        self._registries = {
            tree.source.name: tree.context.names.registry
            for tree in self._trees
            if tree.label is not None
        }
        self._feed = EventSignals()
        labels = {tree.source.name: tree.label for tree in self._trees if tree.label is not None}
        self._metrics = Metrics(sources=labels)
        self._alerts = AlertBoard()
        self._notifying = AsyncExitStack()

    @property
    def source(self) -> ChainSource | PolledSource:
        """The source; with several, the first one."""
        return self._trees[0].source

    @property
    def pool(self) -> Pool | None:
        """The provider pool of the source, if it has one; with several, that of the first one."""
        return self._trees[0].pool

    @property
    def sources(self) -> tuple[SourceTree, ...]:
        """All sources, in the order of the settings."""
        return self._trees

    @property
    def tip(self) -> BlockRef | None:
        """The last applied block; ``None`` before the first. With several sources, of the first."""
        return self._trees[0].open_transactions.tip

    @property
    def open(self) -> int:
        """Number of transactions that are not final."""
        return sum(len(tree.open_transactions) for tree in self._trees)

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

        rest_for_one: each child depends on those before it. If the store stops, the trackers stop
        too, and ``Boot`` starts them again from their rows.
        """
        return [
            # Before all that it reports about: it keeps running while they restart.
            Alerts.child_spec(self._alert_context(), name=ALERTS),
            self._store(),
            *self._sources(),
            *self._listener(),
            Outbox.child_spec(self._outbox(), name=OUTBOX),
            *self._retention(),
            *self._web(),
        ]

    def _source_trees(
        self, source: ChainSource | PolledSource | None, pool: Pool | None
    ) -> tuple[SourceTree, ...]:
        settings, listens = self.settings, self._on_event is not None
        shard = DatabaseUrl.of(settings.database).shard
        if settings.sources:
            return tuple(
                SourceTree(
                    options,
                    source=None if options.http is None else HttpPollingSource.of(options.http),
                    endpoints=options.endpoints,
                    label=options.name,
                    rules=settings.rules,
                    shard=shard,
                    listens=listens,
                )
                for options in settings.sources
            )
        return (
            SourceTree(
                settings,
                source=source,
                pool=pool,
                endpoints=settings.endpoints,
                rules=settings.rules,
                shard=shard,
                listens=listens,
            ),
        )

    def _sources(self) -> list[ChildSpec]:
        """Return the processes of the sources: the only one starts with the service, or not at all.

        Of several, each has a supervisor of its own, and a runner that keeps it running.
        """
        if not self.settings.sources:
            return self._trees[0].children()
        contexts = Sources(tuple(tree.context for tree in self._trees))
        runners = [
            SourceRunner.child_spec(tree, name=SourceRunner.name_of(tree.label)).replace(
                id=tree.label
            )
            for tree in self._trees
        ]
        return [
            Registry.child_spec(keys="unique", name=REGISTRY, meta={TrackerContext.KEY: contexts}),
            DynamicSupervisor.child_spec(name=SOURCES),
            Supervisor.child_spec(runners, strategy="one_for_one", name=RUNNERS),
            WaitForSources.child_spec(self._trees, START_SECONDS),
        ]

    def _store(self) -> ChildSpec:
        settings = self.settings
        spec = Store.child_spec(
            settings.database,
            self._open_transactions(),
            self._announce,
            migrate=settings.migrate,
            holder=self._holder,
            name=STORE,
        )
        # With a lease, `standby.Standby` stops the application, and decides when to start again.
        return spec if self._holder is None else spec.replace(restart="temporary")

    def _open_transactions(self) -> OpenTransactions | OpenBySource:
        if not self.settings.sources:
            return self._trees[0].open_transactions
        return OpenBySource({tree.source.name: tree.open_transactions for tree in self._trees})

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
            look=self._service_views,
            options=self.settings.alerts,
            client=self._webhook_client(),
            database=None if url.is_postgresql else url.path,
        )

    def _service_views(self) -> list[ServiceFacts]:
        views = [tree.view() for tree in self._trees]
        return [view for view in views if view is not None]

    def _retention(self) -> list[ChildSpec]:
        if self.settings.retention is None:
            return []
        return [Retention.child_spec(self.settings.retention, name=RETENTION)]

    def _web(self) -> list[ChildSpec]:
        if self.settings.web is None:
            return []
        return [Web.child_spec(self._service(), self.settings.web, self._socket, name=WEB)]

    def _service(self) -> Service:
        only = self._trees[0]
        is_only = not self.settings.sources
        return Service(
            following=only.following,
            gauges=self._gauges,
            providers=only.pool if is_only else SourceProviders(self._trees),
            sources=() if is_only else tuple(map(SourceControl, self._trees)),
            resume_deliveries=resume_deliveries,
            feed=self._feed,
            metrics=self._metrics,
            alerts=self._alerts,
            source_name=(lambda: only.known_name) if is_only else (lambda: None),
            is_postgresql=DatabaseUrl.of(self.settings.database).is_postgresql,
            flow_limits=self.settings.alerts.flow_limits,
            id_pattern=only.source.id_pattern if is_only else None,
            owned_for=self._owned_for,
            shard=DatabaseUrl.of(self.settings.database).shard,
        )

    async def _gauges(self) -> Gauges:
        readings = {
            tree.label: SourceReading(tree.following(), tree.open_transactions, tree.state.paused)
            for tree in self._trees
        }
        gauges = await read_gauges(readings, self._alerts)
        if self._holder is None:
            return gauges
        return replace(gauges, lease=lease_gauges(self._holder))

    async def _announce(self, stored: Stored) -> None:
        """Send the stored states of a part to the trackers, and announce its events."""
        for tracked in stored.rows:
            registry = self._registries.get(tracked.source, REGISTRY)
            TransactionTracker.settle(via(tracked.id, registry), tracked)
        self._feed.announce(stored)
        async for events in Slices(stored.events):
            for event in events:
                tracked = event.tracked
                facts = {
                    "previous": event.previous,
                    "state": tracked.state,
                    "source": tracked.source,
                }
                telemetry.execute(("transaction_tracker", "transition"), {}, facts)
        if stored.events:
            EventListener.wake()
            wake()


async def resume_deliveries() -> None:
    """Resume the deliveries that a finality violation paused."""
    await Store.resume_deliveries()
    EventListener.wake()
    wake()
