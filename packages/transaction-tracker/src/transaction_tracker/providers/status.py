"""What can be told of a provider, and to whom: anybody. No secret is in it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

from transaction_tracker.providers.health import ErrorClass
from transaction_tracker.providers.views import Side

ProviderState: TypeAlias = Literal["active", "healthy", "paused", "refused", "unchecked"]


@dataclass(frozen=True, slots=True)
class ProviderStatus:
    """How a provider does.

    Attributes:
        name: Its host and its place in the list, such as ``"node.example.org-1"``.
        state: ``"active"`` is followed, ``"healthy"`` stands by, ``"paused"`` failed too often
            or was paused by hand, ``"refused"`` is on another chain and never asked,
            ``"unchecked"`` has not said yet which chain it is on.
        chain_id: The chain that it is on; ``None`` before it said so.
        head: The height of its last head.
        head_age: Seconds since it told that head.
        lag: Blocks that it was behind the best known head then.
        chain: ``"same"`` when it holds the chain that is followed, ``"other"`` when it holds
            another block at the height of ours, ``"unknown"`` where nothing recent tells.
        latency_p50: Seconds in which half of the last answers came.
        latency_p95: Seconds in which all but a twentieth of them came.
        errors: How many of each kind there were: ``transport``, ``rate_limit``, ``server``,
            ``malformed``, ``not_yet``, ``application``.
        error_rate: The share of the last requests that failed by its fault.
        requests: HTTP requests sent to it.
        paused_until: Unix seconds from when on it is tried again; ``None`` while it is not
            paused, or paused by hand.
        by_hand: Whether somebody has paused it.
        heads: Whether it tells of new heads now; ``None`` where it is not asked to.
        last_error: What went wrong last.
    """

    name: str
    state: ProviderState
    chain_id: int | None
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
        """Whether it is asked, or would be."""
        return self.state in ("active", "healthy")

    @property
    def paused(self) -> bool:
        """Whether it is left alone for a time."""
        return self.state == "paused"

    def facts(self) -> dict[str, Any]:
        """Write it as JSON knows it."""
        return asdict(self) | {"healthy": self.healthy, "paused": self.paused}
