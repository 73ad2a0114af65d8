"""Asking the process of a provider; its end is as good as that of the connection."""

from collections.abc import Awaitable, Sequence
from typing import Any

from beamish import ExitError
from transaction_tracker.providers.endpoint import Endpoint
from transaction_tracker.providers.provider import Provider
from transaction_tracker.providers.views import View
from transaction_tracker.sources import SourceError, TransportError
from transaction_tracker.sources.ethereum.rpc import Request


async def ask_at(endpoint: Endpoint, requests: Sequence[Request]) -> list[Any]:
    """Ask one provider.

    Returns:
        For each request its result, or the ``SourceError`` that it met alone.

    Raises:
        SourceError: The whole request got no answer.
    """
    answer = await answered(endpoint, Provider.ask(endpoint.process, requests))
    if isinstance(answer, SourceError):
        raise answer
    return list(answer)


async def results_or_errors(endpoint: Endpoint, requests: Sequence[Request]) -> list[Any]:
    """Ask one provider; return its error in every place when it gives no answer."""
    try:
        return await ask_at(endpoint, requests)
    except SourceError as error:
        return [error] * len(requests)


async def look_at(
    endpoint: Endpoint, height: int | None, requests: Sequence[Request] = ()
) -> tuple[View | SourceError, list[Any]]:
    """Ask one provider for its head, for its block at a height, and for more along with them.

    Returns:
        What it shows, or why it does not; and the result or the error of each further request.
    """
    try:
        found: tuple[View | SourceError, list[Any]] = await answered(
            endpoint, Provider.look(endpoint.process, height, requests)
        )
    except SourceError as error:
        return error, [error] * len(requests)
    return found


async def checked(endpoint: Endpoint) -> SourceError | None:
    """Check which chain a provider is on; return what is wrong, if anything."""
    try:
        wrong: SourceError | None = await answered(endpoint, Provider.check(endpoint.process))
    except SourceError as error:
        return error
    return wrong


async def answered(endpoint: Endpoint, reply: Awaitable[Any]) -> Any:
    """Wait for the reply of a provider's process.

    Raises:
        TransportError: The process is not there, or ended before it replied.
    """
    try:
        return await reply
    except ExitError:
        raise TransportError(f"{endpoint.name}: its process is not there") from None
