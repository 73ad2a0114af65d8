"""Settings of an RPC endpoint and of the pool, and their checks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from transaction_tracker.sources.ethereum.client import BATCH_SIZE, DEADLINE_SECONDS
from transaction_tracker.sources.ethereum.url import HTTP, WEBSOCKET, SecretUrl
from transaction_tracker.sources.rate_limiter import MAX_IN_FLIGHT

_MAX_COUNTS = {"burst": 100_000, "max_in_flight": 1_000, "batch_size": 10_000}
_MAX_DEADLINE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """Settings of one RPC endpoint.

    Attributes:
        url: Its URL, ``http`` or ``https``. Only the host is printed.
        ws_url: WebSocket URL for new heads, ``ws`` or ``wss``; ``None`` opens no subscription.
        requests_per_second: Maximum number of calls per second; each call of a batch counts.
            ``None`` sets no limit.
        burst: Maximum number of calls that are sent at once after an idle time. Default: the
            calls of one second.
        max_in_flight: Maximum number of requests in flight.
        batch_size: Calls in one request; fewer while the endpoint refuses that many.
        deadline: Seconds that one request can take, with all waiting.

    Raises:
        ValueError: A value is invalid; the message names it, and does not contain a URL.
    """

    url: SecretUrl
    ws_url: SecretUrl | None = None
    requests_per_second: float | None = None
    burst: int | None = None
    max_in_flight: int = MAX_IN_FLIGHT
    batch_size: int = BATCH_SIZE
    deadline: float = DEADLINE_SECONDS

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", SecretUrl.of(self.url, HTTP))
        if self.ws_url is not None:
            object.__setattr__(self, "ws_url", SecretUrl.of(self.ws_url, WEBSOCKET))
        for name in _MAX_COUNTS:
            self._check_count(name)
        self._check_seconds()
        if self.burst is not None and self.requests_per_second is None:
            raise ValueError("burst needs requests_per_second; without it, burst has no effect")

    def _check_count(self, name: str) -> None:
        value, maximum = getattr(self, name), _MAX_COUNTS[name]
        if value is None and name == "burst":
            return
        if type(value) is not int or not 1 <= value <= maximum:
            raise ValueError(f"{name} must be a whole number from 1 to {maximum}, got {value!r}")

    def _check_seconds(self) -> None:
        rate, deadline = self.requests_per_second, self.deadline
        if rate is not None and not (_is_number(rate) and rate > 0):
            raise ValueError(
                f"requests_per_second must be a number over 0, or None for no limit, got {rate!r}"
            )
        maximum = _MAX_DEADLINE_SECONDS
        if not (_is_number(deadline) and 0 < deadline <= maximum):
            raise ValueError(
                f"deadline must be over 0 and up to {maximum:g} seconds, got {deadline!r}"
            )


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]


def check_pool(
    settings: Sequence[ProviderSettings], chain_id: int | None, max_lag: int, probe_interval: float
) -> None:
    """Raise ``ValueError`` if the settings of a pool are invalid; the message says why."""
    if not settings:
        raise ValueError("settings must have one provider or more, got none")
    if chain_id is not None and (type(chain_id) is not int or chain_id < 1):
        raise ValueError(f"chain_id must be 1 or more, got {chain_id!r}")
    if type(max_lag) is not int or max_lag < 0:
        raise ValueError(f"max_lag must be a number of blocks, 0 or more, got {max_lag!r}")
    if not (math.isfinite(probe_interval) and probe_interval > 0):
        raise ValueError(f"probe_interval must be over 0 seconds, got {probe_interval!r}")
