"""Options of an RPC endpoint, and the checks of a pool's arguments."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import PlainValidator

from transaction_tracker.domain.duration import SECONDS
from transaction_tracker.options import Section, number, option
from transaction_tracker.options.values import Seconds, printed
from transaction_tracker.sources.ethereum.client import BATCH_SIZE, DEADLINE_SECONDS
from transaction_tracker.sources.ethereum.rpc import ChainId
from transaction_tracker.sources.ethereum.url import HTTP, WEBSOCKET, SecretUrl
from transaction_tracker.sources.rate_limiter import MAX_IN_FLIGHT


def _url(value: Any) -> SecretUrl:
    return SecretUrl.of(value, HTTP)


def _socket(value: Any) -> SecretUrl:
    return SecretUrl.of(value, WEBSOCKET)


NodeUrl = Annotated[SecretUrl, PlainValidator(_url), printed]
AnyNodeUrl = Annotated[str | SecretUrl, PlainValidator(_url), printed]
SocketUrl = Annotated[SecretUrl, PlainValidator(_socket), printed]


class ProviderSettings(Section):
    """One RPC endpoint of the chain; with several, the service survives the failure of one."""

    url: NodeUrl = option(
        ...,
        "a URL such as http://host:port or https://host/key",
        "URL of the endpoint. Only its host is ever printed.",
        secret=True,
    )
    ws_url: SocketUrl | None = option(
        None,
        "a URL such as ws://host:port or wss://host/key",
        "WebSocket URL to subscribe to new heads. Without it, heads are polled.",
        secret=True,
    )
    cookie_file: Path | None = option(
        None,
        "the path of a file",
        "File that Bitcoin Core writes with its user and password, .cookie in its data folder; "
        "instead of those in the url. It is read for each request, because each start of the node "
        "writes another one.",
    )
    requests_per_second: float | None = option(
        None,
        "a number over 0",
        "Maximum number of calls per second; each call of a batch counts. Default: no limit.",
        gt=0,
        le=1_000_000,
        allow_inf_nan=False,
    )
    burst: int | None = number(
        None,
        1,
        100_000,
        "Maximum number of calls at once after a pause. Default: the calls of one second.",
    )
    max_in_flight: int = number(
        MAX_IN_FLIGHT,
        1,
        1_000,
        "Maximum number of requests that wait for responses at the same time.",
    )
    batch_size: int = number(
        BATCH_SIZE,
        1,
        10_000,
        "Maximum number of calls per request; lowered when the endpoint refuses that many.",
    )
    deadline: Seconds = option(
        DEADLINE_SECONDS,
        f"over 0, up to 5m: {SECONDS}",
        "Maximum duration of one request.",
        gt=0,
        le=300,
    )

    def conflicts(self, table: str = "") -> Iterator[tuple[str, str]]:
        """Yield ``burst`` without a rate that it could exceed, and two ways to sign in."""
        if self.burst is not None and self.requests_per_second is None:
            yield "burst", f"needs {table}requests_per_second; without it, burst has no effect"
        if self.cookie_file is not None and self.url.reveal().user is not None:
            yield "cookie_file", f"and the user in {table}url cannot both be given"


def check_pool(
    settings: Sequence[ProviderSettings],
    chain_id: ChainId | None,
    max_lag: int,
    probe_interval: float,
) -> None:
    """Raise ``ValueError`` if the settings of a pool are invalid; the message says why."""
    if not settings:
        raise ValueError("settings must have one provider or more, got none")
    is_valid = isinstance(chain_id, str) or (type(chain_id) is int and chain_id > 0)
    if chain_id is not None and not is_valid:
        raise ValueError(f"chain_id must be 1 or more, got {chain_id!r}")
    if type(max_lag) is not int or max_lag < 0:
        raise ValueError(f"max_lag must be a number of blocks, 0 or more, got {max_lag!r}")
    if not (math.isfinite(probe_interval) and probe_interval > 0):
        raise ValueError(f"probe_interval must be over 0 seconds, got {probe_interval!r}")
