"""What is known of one provider: its process writes it, the pool reads it."""

import asyncio
import time
from typing import Literal, TypeAlias

from transaction_tracker.domain import Chain
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


class Endpoint:
    """One provider. It outlives its process: a crash of ours says nothing about the node.

    Args:
        settings: Where it is and what it can bear.
        place: Its place in the list, from 1.
    """

    def __init__(self, settings: ProviderSettings, place: int) -> None:
        self.name = f"{settings.url.host}-{place}"
        self.process = f"{PROVIDERS}.{self.name}"
        self.settings = settings
        self.client = _client(settings)
        self.health = Health()
        self.identity: Identity | None = None
        self.standing: Standing = "unchecked"
        self.unproven = False
        self.view: View | None = None
        self.unreadable_head_at = float("-inf")
        self.side: Side = "unknown"
        self.side_since = 0.0
        self.by_hand = False
        self.tells_heads: bool | None = None if settings.ws_url is None else False
        self.last_error: str | None = None

    def __repr__(self) -> str:
        return f"Endpoint({self.name!r}, {self.standing})"

    @property
    def usable(self) -> bool:
        """Whether it may be asked: on the right chain, and not paused."""
        in_order = self.standing == "good" and not self.by_hand
        return in_order and self.health.paused_until is None

    @property
    def trouble(self) -> str:
        """Say in a word why another one is followed in its place."""
        return "behind" if self.usable else self._state(None)

    def compare(self, chain: Chain, now: float) -> None:
        """Compare its chain with ours, and note when it was first found on this side."""
        side = "unknown" if self.view is None else self.view.side(chain)
        # Unknown for a moment, while its head is far ahead of our tip, is not a change of side.
        if side not in ("unknown", self.side):
            self.side, self.side_since = side, now

    def candidate(self, chain: str | None = None) -> Candidate:
        """Describe it for the choice of the provider to follow.

        Args:
            chain: The label of the chain that it holds, where that is known.
        """
        health = self.health
        return Candidate(
            self.name,
            lag=health.lag or 0,
            error_rate=health.error_rate("transport", "server", "malformed", "rate_limit"),
            latency=health.latency or 0.0,
            chain=chain,
            since=self.side_since,
            seen=0.0 if self.view is None else self.view.head_at,
            stuck=health.stuck,
        )

    def status(self, active: str | None, chain: Side = "unknown") -> ProviderStatus:
        """Describe it for people.

        Args:
            active: The name of the provider that is followed.
            chain: The chain that it holds, compared with ours.
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
            latency_p50=health.percentile(0.5),
            latency_p95=health.percentile(0.95),
            errors=dict(health.errors),
            error_rate=self.candidate().error_rate,
            requests=self.client.requests,
            paused_until=self._paused_until(),
            by_hand=self.by_hand,
            heads=self.tells_heads,
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
        seen = self.health.head_seen
        return None if seen is None else asyncio.get_running_loop().time() - seen

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
