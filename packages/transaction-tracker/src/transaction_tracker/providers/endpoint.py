"""The state of one provider: written by its process, read by the pool."""

import asyncio
import time
from typing import Literal, TypeAlias

from transaction_tracker.domain import KeptChain
from transaction_tracker.providers.choice import Candidate
from transaction_tracker.providers.health import Health
from transaction_tracker.providers.settings import ProviderSettings
from transaction_tracker.providers.status import ProviderState, ProviderStatus
from transaction_tracker.providers.views import Side, View
from transaction_tracker.sources.ethereum.client import RpcClient
from transaction_tracker.sources.ethereum.rpc import Identity
from transaction_tracker.sources.rate_limiter import RateLimiter

PROVIDERS = "TransactionTracker.Providers"

Standing: TypeAlias = Literal["unchecked", "good", "refused"]


class RpcEndpoint:
    """An RPC endpoint, with its client and its health.

    It outlives the process of the provider: a crash of that process says nothing about the node.

    Args:
        settings: URLs and limits.
        position: Position in the configured order, from 1.
    """

    def __init__(self, settings: ProviderSettings, position: int) -> None:
        self.name = f"{settings.url.host}-{position}"
        self.process = f"{PROVIDERS}.{self.name}"
        self.settings = settings
        self.client = _client(settings)
        self.health = Health()
        self.identity: Identity | None = None
        self.standing: Standing = "unchecked"
        self.lacks_anchor = False
        self.view: View | None = None
        self.unreadable_head_at = float("-inf")
        self.side: Side = "unknown"
        self.side_since = 0.0
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
        return None if head_at is None else asyncio.get_running_loop().time() - head_at

    def _paused_until(self) -> float | None:
        if self.by_hand or self.health.paused_until is None:
            return None
        return time.time() + self.health.paused_until - asyncio.get_running_loop().time()


def _client(settings: ProviderSettings) -> RpcClient:
    limiter = RateLimiter(
        requests_per_second=settings.requests_per_second,
        burst=settings.burst,
        max_in_flight=settings.max_in_flight,
    )
    return RpcClient(
        settings.url, deadline=settings.deadline, batch_size=settings.batch_size, limiter=limiter
    )
