"""Clients of the nodes of each kind of chain."""

from collections.abc import Callable
from typing import TypeAlias

from transaction_tracker.providers.settings import ProviderSettings
from transaction_tracker.sources.bitcoin.client import BitcoinClient
from transaction_tracker.sources.ethereum.client import RpcClient
from transaction_tracker.sources.rate_limiter import RateLimiter

ClientFactory: TypeAlias = Callable[[ProviderSettings], RpcClient]


def ethereum_client(settings: ProviderSettings) -> RpcClient:
    """Return the client of an Ethereum node."""
    return RpcClient(
        settings.url,
        deadline=settings.deadline,
        batch_size=settings.batch_size,
        limiter=_limiter(settings),
    )


def bitcoin_client(settings: ProviderSettings) -> BitcoinClient:
    """Return the client of a node of Bitcoin Core."""
    return BitcoinClient(
        settings.url,
        cookie_file=settings.cookie_file,
        deadline=settings.deadline,
        batch_size=settings.batch_size,
        limiter=_limiter(settings),
    )


def _limiter(settings: ProviderSettings) -> RateLimiter:
    return RateLimiter(
        requests_per_second=settings.requests_per_second,
        burst=settings.burst,
        max_in_flight=settings.max_in_flight,
    )
