"""The interface between the API and the application."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from transaction_tracker.alerts import AlertBoard
from transaction_tracker.api.history import History
from transaction_tracker.api.signals import EventSignals
from transaction_tracker.delivery.health import FlowLimits
from transaction_tracker.domain import BlockRef
from transaction_tracker.domain.sharding import Shard
from transaction_tracker.follower.verdict import NO_RESPONSE_YET, Verdict
from transaction_tracker.metrics import Gauges, Metrics
from transaction_tracker.providers.status import ProviderStatus
from transaction_tracker.store import Store
from transaction_tracker.store.owned import OwnedFor, unlimited

_STARTING = Verdict("starting", NO_RESPONSE_YET)


@dataclass(frozen=True, slots=True)
class Following:
    """Progress of the follower.

    Attributes:
        head: Height of the source's head in its last answer; ``None`` before the first.
        heard_seconds: Seconds since that answer.
        applied_seconds: Seconds since a block was applied; ``None`` before the first since the
            program started.
        ends_held: Whether ends are held back: healthy providers disagree, or do not answer.
        verdict: Whether the source moves, and if not, why.
        now: The time of the verdict, by the clock of its ``since``.
    """

    head: int | None = None
    heard_seconds: float | None = None
    applied_seconds: float | None = None
    ends_held: bool = False
    verdict: Verdict = _STARTING
    now: float = 0.0


class ProviderControl(Protocol):
    """Control of the RPC providers by name; an unknown name raises ``LookupError``."""

    def status(self) -> Sequence[ProviderStatus]:
        """Return the status of each provider."""
        ...

    async def pause(self, name: str) -> ProviderStatus:
        """Stop sending requests to a provider."""
        ...

    async def resume(self, name: str) -> ProviderStatus:
        """Use a paused provider again."""
        ...

    async def check(self, name: str) -> ProviderStatus:
        """Check a provider's chain and head now."""
        ...


class SourceAccess(Protocol):
    """One source of several, for the API."""

    @property
    def name(self) -> str:
        """Name of the source in the configuration."""
        ...

    @property
    def source(self) -> str:
        """Name of the source in the database."""
        ...

    @property
    def chain(self) -> str:
        """Chain id of CAIP-2 that its transaction ids can have before them."""
        ...

    @property
    def state(self) -> str:
        """``"running"``, ``"starting"``, ``"failed"`` or ``"paused"``."""
        ...

    @property
    def open(self) -> int:
        """Number of its transactions that are not final."""
        ...

    @property
    def tip(self) -> BlockRef | None:
        """Its last applied block; ``None`` before the first."""

    def following(self) -> Following:
        """Return the progress of its follower; fast, never waits."""
        ...

    def providers(self) -> Sequence[ProviderStatus]:
        """Return the status of its providers; none for a service over HTTP."""
        ...

    async def pause(self) -> None:
        """Stop sending requests to it, also after a restart of the service."""

    async def resume(self) -> None:
        """Follow it again."""

    async def check(self) -> str:
        """Check it now; return what is wrong with it, or nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The parts of the application that it passes to the API.

    The API imports the other parts: ``TransactionTracker`` with its ``TrackerContext``,
    ``Store.run`` and the functions of ``delivery.endpoints``. ``service/tree.py`` connects them::

        feed, metrics = EventSignals(), Metrics()     # once per application
        feed.announce(stored)                         # in announce(stored), after each commit
        service = Service(following=..., gauges=..., feed=feed, metrics=metrics, ...)
        Web.child_spec(service, WebOptions(host="127.0.0.1", port=8080), name=WEB)  # the last child
        await Web.url(WEB)                            # "http://127.0.0.1:54321"

    The application attaches and detaches ``metrics``.

    Attributes:
        following: Function that returns the progress of the only follower, or of the first; fast,
            never waits.
        gauges: Function that reads the gauges, except those of the API.
        providers: Control of the RPC providers; ``None`` for a source without providers.
        sources: The sources, if there are several; empty for the only one.
        resume_deliveries: Function that resumes deliveries after a finality violation.
        feed: Signals for long polls and event streams.
        metrics: Metrics of the application.
        alerts: Alerts of the application.
        history: Figures over time.
        source_name: Function that returns the name of the only source; ``None`` before its first
            answer, and with several.
        is_postgresql: Whether the database is PostgreSQL; otherwise it is SQLite.
        started_at: Unix seconds of the start.
        flow_limits: When deliveries are late.
        id_pattern: Pattern of transaction ids, for the OpenAPI description.
        owned_for: Time for which the application owns the database.
        shard: The shard that the application is, if it is one of several.
    """

    following: Callable[[], Following]
    gauges: Callable[[], Awaitable[Gauges]]
    providers: ProviderControl | None = None
    sources: Sequence[SourceAccess] = ()
    resume_deliveries: Callable[[], Awaitable[None]] = Store.resume_deliveries
    feed: EventSignals = field(default_factory=EventSignals)
    metrics: Metrics = field(default_factory=Metrics)
    alerts: AlertBoard = field(default_factory=AlertBoard)
    history: History = field(default_factory=History)
    source_name: Callable[[], str | None] = lambda: None
    is_postgresql: bool = False
    started_at: float = field(default_factory=time.time)
    flow_limits: FlowLimits = field(default_factory=FlowLimits)
    id_pattern: str | None = None
    owned_for: OwnedFor = unlimited
    shard: Shard | None = None
