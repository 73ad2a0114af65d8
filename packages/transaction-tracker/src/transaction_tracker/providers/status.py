"""The public status of a provider. It contains no secret."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from transaction_tracker.providers.health import ErrorClass
from transaction_tracker.providers.views import Side
from transaction_tracker.sources.ethereum.rpc import ChainId

ProviderState: TypeAlias = Literal["active", "healthy", "paused", "refused", "unchecked"]


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """Status of a provider.

    Attributes:
        name: Host and position in the configured order, such as ``"node.example.org-1"``.
        state: ``"active"`` is followed, ``"healthy"`` is on standby, ``"paused"`` failed too
            often or was paused by hand, ``"refused"`` is on another chain and never used,
            ``"unchecked"`` has not passed its first check yet.
        chain_id: Its chain; ``None`` before the first check.
        head: Height of its last head.
        head_age: Seconds since that head arrived.
        lag: Blocks that it was behind the best known head at that time.
        chain: ``"same"`` if it holds the followed chain, ``"other"`` if it holds another block at
            a height of the followed chain, ``"unknown"`` if no recent block of it tells.
        latency_p50: Median latency of the last responses, in seconds.
        latency_p95: 95th percentile of the latency of the last responses, in seconds.
        errors: Number of errors of each class: ``transport``, ``rate_limit``, ``server``,
            ``malformed``, ``not_yet``, ``application``.
        error_rate: Share of the last requests that failed through its own fault.
        requests: Number of HTTP requests sent to it.
        paused_until: When it is checked again, in Unix seconds; ``None`` while it is not paused,
            or paused by hand.
        by_hand: Whether it was paused by hand.
        heads: Whether its subscription to new heads is open; ``None`` without a WebSocket URL.
        last_error: Its last error.
    """

    name: str
    state: ProviderState
    chain_id: ChainId | None
    head: int | None
    head_age: float | None
    lag: int | None
    chain: Side
    latency_p50: float | None
    latency_p95: float | None
    errors: Mapping[ErrorClass, int]
    error_rate: float
    requests: int
    paused_until: float | None
    by_hand: bool
    heads: bool | None
    last_error: str | None

    @property
    def healthy(self) -> bool:
        """Whether it is in use or on standby."""
        return self.state in ("active", "healthy")

    @property
    def paused(self) -> bool:
        """Whether it is paused, by its failures or by hand."""
        return self.state == "paused"

    def facts(self) -> dict[str, Any]:
        """Return the status as a JSON object."""
        return asdict(self) | {"healthy": self.healthy, "paused": self.paused}
