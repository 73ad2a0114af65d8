"""The state of one provider, which outlives its process."""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Literal, TypeAlias, TypeVar

from transaction_tracker.awake import loop_time
from transaction_tracker.domain import KeptChain
from transaction_tracker.providers import events
from transaction_tracker.providers.choice import Candidate
from transaction_tracker.providers.clients import ClientFactory, ethereum_client
from transaction_tracker.providers.health import BlockPart, Health, error_class
from transaction_tracker.providers.in_flight import InFlight, NotRunningError
from transaction_tracker.providers.settings import ProviderSettings
from transaction_tracker.providers.status import ProviderState, ProviderStatus
from transaction_tracker.providers.views import Side, View
from transaction_tracker.sources import MalformedError, SourceError
from transaction_tracker.sources.ethereum import RpcClient
from transaction_tracker.sources.ethereum.rpc import Identity

PROVIDERS = "TransactionTracker.Providers"

T = TypeVar("T")

Standing: TypeAlias = Literal["unchecked", "good", "refused"]

logger: logging.Logger = logging.getLogger("transaction_tracker")


class RpcEndpoint:
    """An RPC endpoint, with its client, its requests in flight and its health.

    The sender of a request records its result here as soon as it has it, so health changes in the
    order of the results. It outlives the process of the provider: a crash of that process says
    nothing about the node.

    Args:
        settings: URLs and limits.
        position: Position in the configured order, from 1.
        create: Returns the client of the node.
        source: Name of its source among several; ``None`` for the only source.
    """

    def __init__(
        self,
        settings: ProviderSettings,
        position: int,
        create: ClientFactory = ethereum_client,
        source: str | None = None,
    ) -> None:
        # The name of a source has no dot, so names of two sources are never equal.
        prefix = "" if source is None else f"{source}."
        self.name: str = f"{prefix}{settings.url.host}-{position}"
        self.process: str = f"{PROVIDERS}.{self.name}"
        self.settings = settings
        self.client: RpcClient = create(settings)
        self.in_flight: InFlight = InFlight(self.name)
        self.health: Health = Health()
        self.identity: Identity | None = None
        self.standing: Standing = "unchecked"
        self.lacks_anchor = False
        self.view: View | None = None
        self.unreadable_head_at: float = float("-inf")
        self.side: Side = "unknown"
        self.side_since: float = 0.0
        self.by_hand = False
        self.is_subscribed: bool | None = None if settings.ws_url is None else False
        self.last_error: str | None = None

    def __repr__(self) -> str:
        return f"RpcEndpoint({self.name!r}, {self.standing})"

    @property
    def usable(self) -> bool:
        """Whether requests can be sent to it: it is on the right chain and not paused."""
        in_order = self.standing == "good" and not self.by_hand
        return in_order and self.health.paused_until is None

    @property
    def switch_reason(self) -> str:
        """The reason, as one word, why another provider is followed in its place."""
        return "behind" if self.usable else self._state(None)

    def compare(self, chain: KeptChain, now: float) -> None:
        """Compare its view with the followed chain; record when its side changes."""
        side = "unknown" if self.view is None else self.view.side(chain)
        # The side is unknown while the head is far ahead of the followed tip: not a change.
        if side not in ("unknown", self.side):
            self.side, self.side_since = side, now

    def candidate(self, chain: str | None = None) -> Candidate:
        """Return the facts on which the choice of the followed provider depends.

        Args:
            chain: Label of the chain that it holds, if known.
        """
        health = self.health
        return Candidate(
            self.name,
            lag=health.lag or 0,
            error_rate=health.error_rate("transport", "server", "malformed", "rate_limit"),
            latency=health.latency or 0.0,
            chain=chain,
            side_since=self.side_since,
            head_at=0.0 if self.view is None else self.view.head_at,
            stuck=health.stuck,
        )

    def status(self, active: str | None, chain: Side = "unknown") -> ProviderStatus:
        """Return the public status.

        Args:
            active: Name of the followed provider.
            chain: The chain that this provider holds, compared with the followed chain.
        """
        health = self.health
        return ProviderStatus(
            name=self.name,
            state=self._state(active),
            chain_id=None if self.identity is None else self.identity.chain_id,
            head=health.head,
            head_age=self._head_age(),
            lag=health.lag,
            chain=chain,
            latency_p50=health.latency_percentile(0.5),
            latency_p95=health.latency_percentile(0.95),
            errors=dict(health.errors),
            error_rate=self.candidate().error_rate,
            requests=self.client.requests,
            paused_until=self._paused_until(),
            by_hand=self.by_hand,
            heads=self.is_subscribed,
            last_error=self.last_error,
        )

    # -- Results

    async def measure(self, calls: int, send: Callable[[], Awaitable[T]]) -> T:
        """Send a request; record its latency, and its error.

        Args:
            calls: Number of calls in the request.
            send: Function that sends the request, and reads its result.

        Raises:
            NotRunningError: The provider's process is not running, or ended meanwhile.
            SourceError: The request failed.
        """
        started = loop_time()
        try:
            result = await send()
        except NotRunningError:
            raise
        except SourceError as error:
            self._record_failure(error, loop_time() - started, calls)
            raise
        except Exception:  # a hostile response can cause any error: the caller must not crash
            logger.exception("could not parse a response from provider %s", self.name)
            malformed = MalformedError(f"{self.name}: could not parse the response")
            self._record_failure(malformed, loop_time() - started, calls)
            raise malformed from None
        self._record_response(result, loop_time() - started, calls)
        return result

    def record_unreadable_block(self, part: BlockPart, error: SourceError | None = None) -> None:
        """Count a block that could not be read, although another provider sent it readable."""
        error = error or MalformedError(self.last_error or f"{self.name}: unreadable")
        self._report_pause(error, self.health.record_unreadable_block(part, loop_time()))

    def record_wrong_parent(self, number: int) -> None:
        """Count a block with another parent than at another provider and in the followed chain."""
        pause = self.health.record_wrong_parent(number, loop_time())
        if pause is not None:
            self.last_error = f"{self.name}: block {number} has a wrong parentHash"
            self._report_pause(MalformedError(self.last_error), pause)

    def record_incomplete_block(self, number: int) -> None:
        """Count a block without a transaction that most providers list in it."""
        self.last_error = f"{self.name}: block {number} lacks a transaction"
        pause = self.health.record_incomplete_block(number, loop_time())
        self._report_pause(MalformedError(self.last_error), pause)

    def _record_response(self, result: object, seconds: float, calls: int) -> None:
        # An unreadable part counts in the error rate. It never pauses the provider by itself:
        # one malformed transaction would pause every provider that has it.
        is_malformed = isinstance(result, list) and any(
            isinstance(part, MalformedError) for part in result
        )
        self.health.record_response(seconds, "malformed" if is_malformed else None)
        events.request(self.name, "malformed" if is_malformed else "ok", seconds, calls)

    def _record_failure(self, error: SourceError, seconds: float, calls: int) -> None:
        kind = error_class(error)
        events.request(self.name, kind, seconds, calls)
        self.last_error = str(error)
        self._report_pause(error, self.health.record_failure(kind, loop_time()))

    def _report_pause(self, error: SourceError, pause: float | None) -> None:
        """Log a pause that the health has caused, and emit its event."""
        if pause is not None:
            logger.warning("provider %s is paused for %.0f s: %s", self.name, pause, error)
            events.paused(self.name, error_class(error), pause)

    def _state(self, active: str | None) -> ProviderState:
        if self.standing == "refused":
            return "refused"
        if self.by_hand or self.health.paused_until is not None:
            return "paused"
        if self.standing == "unchecked":
            return "unchecked"
        return "active" if self.name == active else "healthy"

    def _head_age(self) -> float | None:
        head_at = self.health.head_at
        return None if head_at is None else loop_time() - head_at

    def _paused_until(self) -> float | None:
        if self.by_hand or self.health.paused_until is None:
            return None
        return time.time() + self.health.paused_until - loop_time()
