"""What has to be known of an RPC endpoint before it is asked."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from transaction_tracker.sources.ethereum.client import BATCH_SIZE, DEADLINE_SECONDS
from transaction_tracker.sources.ethereum.url import HTTP, WEBSOCKET, SecretUrl
from transaction_tracker.sources.rate_limiter import MAX_IN_FLIGHT

_MOST = {"burst": 100_000, "max_in_flight": 1_000, "batch_size": 10_000}
_LONGEST_DEADLINE = 300.0


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """One RPC endpoint.

    Attributes:
        url: Where it listens, ``http`` or ``https``. Prints its host only.
        ws_url: Where it tells of new heads, ``ws`` or ``wss``; ``None`` for those that do not.
        requests_per_second: Calls per second, each call of a batch counted; ``None`` sets no
            limit.
        burst: Calls that may go at once after a rest; by default those of one second.
        max_in_flight: Requests that may wait for their answers at the same time.
        batch_size: Calls in one request; fewer while the endpoint refuses that many.
        deadline: Seconds that one request may take in all.

    Raises:
        ValueError: A value that cannot be; the message names it, and repeats no URL.
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
        for name in _MOST:
            self._check_count(name)
        self._check_seconds()
        if self.burst is not None and self.requests_per_second is None:
            raise ValueError("burst needs requests_per_second; without a limit it says nothing")

    def _check_count(self, name: str) -> None:
        value, most = getattr(self, name), _MOST[name]
        if value is None and name == "burst":
            return
        if type(value) is not int or not 1 <= value <= most:
            raise ValueError(f"{name} must be a whole number from 1 to {most}, got {value!r}")

    def _check_seconds(self) -> None:
        rate, deadline = self.requests_per_second, self.deadline
        if rate is not None and not (_is_number(rate) and rate > 0):
            raise ValueError(
                f"requests_per_second must be a number over 0, or None for no limit, got {rate!r}"
            )
        if not (_is_number(deadline) and 0 < deadline <= _LONGEST_DEADLINE):
            raise ValueError(
                f"deadline must be over 0 and up to {_LONGEST_DEADLINE:g} seconds, got {deadline!r}"
            )


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]


def check_pool(
    settings: Sequence[ProviderSettings], chain_id: int | None, max_lag: int, look_interval: float
) -> None:
    """Raise ``ValueError`` if a pool cannot be made of these; the message says why."""
    if not settings:
        raise ValueError("settings must have one provider or more, got none")
    if chain_id is not None and (type(chain_id) is not int or chain_id < 1):
        raise ValueError(f"chain_id must be 1 or more, got {chain_id!r}")
    if type(max_lag) is not int or max_lag < 0:
        raise ValueError(f"max_lag must be a number of blocks, 0 or more, got {max_lag!r}")
    if not (math.isfinite(look_interval) and look_interval > 0):
        raise ValueError(f"look_interval must be over 0 seconds, got {look_interval!r}")
