"""Calls to the process of a provider; if it has ended, they raise ``TransportError``."""

from collections.abc import Awaitable, Sequence
from typing import Any

from beamish import ExitError
from transaction_tracker.providers.endpoint import RpcEndpoint
from transaction_tracker.providers.provider import Provider
from transaction_tracker.providers.views import View
from transaction_tracker.sources import SourceError, TransportError
from transaction_tracker.sources.ethereum.rpc import Request


async def ask(endpoint: RpcEndpoint, requests: Sequence[Request]) -> list[Any]:
    """Send requests to one provider.

    Returns:
        For each request its result, or the ``SourceError`` of this request alone.

    Raises:
        SourceError: All requests failed for the same reason.
    """
    results = await await_reply(endpoint, Provider.ask(endpoint.process, requests))
    if isinstance(results, SourceError):
        raise results
    return list(results)


async def results_or_errors(endpoint: RpcEndpoint, requests: Sequence[Request]) -> list[Any]:
    """Send requests to one provider; if all fail, return the error in the place of each result."""
    try:
        return await ask(endpoint, requests)
    except SourceError as error:
        return [error] * len(requests)


async def probe(
    endpoint: RpcEndpoint, height: int | None, requests: Sequence[Request] = ()
) -> tuple[View | SourceError, list[Any]]:
    """Ask one provider for its head and for its block at ``height``, with further requests.

    Returns:
        The view or the error of the probe, and the result or the error of each further request.
    """
    try:
        found: tuple[View | SourceError, list[Any]] = await await_reply(
            endpoint, Provider.probe(endpoint.process, height, requests)
        )
    except SourceError as error:
        return error, [error] * len(requests)
    return found


async def check_chain(endpoint: RpcEndpoint) -> SourceError | None:
    """Check which chain a provider is on; return the error if the check failed."""
    try:
        failure: SourceError | None = await await_reply(endpoint, Provider.check(endpoint.process))
    except SourceError as error:
        return error
    return failure


async def await_reply(endpoint: RpcEndpoint, reply: Awaitable[Any]) -> Any:
    """Wait for the reply of a provider's process.

    Raises:
        TransportError: The process is not running, or ended before it replied.
    """
    try:
        return await reply
    except ExitError:
        raise TransportError(f"{endpoint.name}: its process is not running") from None
