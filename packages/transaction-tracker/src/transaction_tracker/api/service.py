"""What the API needs of the application that it serves: the one seam between the two."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from transaction_tracker.api.signals import Feed
from transaction_tracker.follower.verdict import Verdict
from transaction_tracker.metrics import Metrics
from transaction_tracker.providers.status import ProviderStatus
from transaction_tracker.store import Store

_STARTING = Verdict("starting", "no provider has given a readable answer about the head yet")


@dataclass(frozen=True, slots=True)
class Following:
    """How well the follower keeps up with its source.

    Attributes:
        head: Height of the source's head in its last answer; ``None`` before the first.
        heard_seconds: Seconds since that answer.
        applied_seconds: Seconds since a block was applied; ``None`` before the first since the
            program started.
        ends_held: Whether ends are held back: healthy providers disagree, or do not answer.
        verdict: Whether the source moves, and if not, why.
    """

    head: int | None = None
    heard_seconds: float | None = None
    applied_seconds: float | None = None
    ends_held: bool = False
    verdict: Verdict = _STARTING


class ProviderControl(Protocol):
    """The RPC endpoints, by their names; an unknown name is a ``LookupError``."""

    def status(self) -> Sequence[ProviderStatus]:
        """Say of each how it does."""

    async def pause(self, name: str) -> ProviderStatus:
        """Ask this one no more."""

    async def resume(self, name: str) -> ProviderStatus:
        """Ask this one again."""

    async def check(self, name: str) -> ProviderStatus:
        """Ask this one now who it is and where its head is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What the application passes to the API.

    The rest is imported: ``TransactionTracker``, its ``Context`` with source, book, settings
    and policy, ``Store.run``, the outbox's functions. Wiring, in ``application.py``::

        feed, metrics = Feed(), Metrics()             # once per application
        feed.announce(stored)                         # in announce(stored), after each commit
        service = Service(following=..., feed=feed, metrics=metrics, ...)
        Web.child_spec(service, WebOptions(host="127.0.0.1", port=8080), name=WEB)  # the last child
        await Web.url(WEB)                            # "http://127.0.0.1:54321"

    ``metrics`` counts from when ``Web`` starts, or from its ``attach()`` if that is earlier.

    Attributes:
        following: Tells how well the follower keeps up; cheap, never waits.
        providers: The RPC endpoints, if there are several to manage.
        resume_deliveries: Lets callbacks go on that a finality violation has frozen.
        feed: Wakes long polls and streams.
        metrics: Counts what happens.
        id_pattern: What a transaction id looks like, for the API's description.
    """

    following: Callable[[], Following]
    providers: ProviderControl | None = None
    resume_deliveries: Callable[[], Awaitable[None]] = Store.thaw
    feed: Feed = field(default_factory=Feed)
    metrics: Metrics = field(default_factory=Metrics)
    id_pattern: str | None = None
