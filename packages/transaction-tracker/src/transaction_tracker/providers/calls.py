"""Calls of RPC methods at one provider, whose results are recorded in its health."""

from collections.abc import Sequence
from typing import Any

from transaction_tracker.providers.endpoint import RpcEndpoint
from transaction_tracker.providers.pool_state import PoolState
from transaction_tracker.providers.requests import (
    about_transactions,
    common_failure,
    probe_requests,
)
from transaction_tracker.providers.views import View
from transaction_tracker.sources import ServerError, SourceError
from transaction_tracker.sources.ethereum.rpc import Request


async def ask(state: PoolState, endpoint: RpcEndpoint, requests: Sequence[Request]) -> list[Any]:
    """Send requests to one provider, and record what the results say about it.

    Returns:
        For each request its result, or the ``SourceError`` of this request alone.

    Raises:
        SourceError: All requests failed for the same reason.
    """
    control = [endpoint.client.height_request()] if _needs_control(endpoint, requests) else []
    sent = [*control, *requests]
    results: list[Any] = []

    async def send() -> list[Any]:
        results[:] = await endpoint.in_flight.run(endpoint.client.batch, sent)
        # Recorded here and not in the task of the request: no other result can be recorded between
        # the head and the view of a probe.
        error = common_failure(sent, results)
        if error is not None:
            raise error
        state.record_results(endpoint, sent, results)
        return results

    try:
        await endpoint.measure(len(sent), send)
    except ServerError:
        if not results:
            raise
        # Other providers can be asked for each failed result.
    return results[len(control) :]


async def results_or_errors(
    state: PoolState, endpoint: RpcEndpoint, requests: Sequence[Request]
) -> list[Any]:
    """Send requests to one provider; if all fail, return the error in the place of each result."""
    try:
        return await ask(state, endpoint, requests)
    except SourceError as error:
        return [error] * len(requests)


async def probe(
    state: PoolState, endpoint: RpcEndpoint, height: int | None, requests: Sequence[Request] = ()
) -> tuple[View | SourceError, list[Any]]:
    """Ask one provider for its head and for its block at ``height``, with further requests.

    Returns:
        The view or the error of the probe, and the result or the error of each further request.
    """
    probes = probe_requests(endpoint.client, height)
    try:
        results = await ask(state, endpoint, [*probes, *requests])
    except SourceError as error:
        return error, [error] * len(requests)
    return state.record_probe(endpoint, results[: len(probes)]), results[len(probes) :]


def _needs_control(endpoint: RpcEndpoint, requests: Sequence[Request]) -> bool:
    """Return whether to add a call for the height of the head, as a control.

    A rate limit on every call counts as a rate limit of the provider. A few transactions on
    which the provider always answers with a rate limit would look the same, and their block
    would wait without end. The control call gets a result only in that case. A full batch of
    such transactions does not occur, so it needs no control.
    """
    together = endpoint.client.calls_per_request
    is_short = len(requests) < together or together == 1
    return is_short and bool(requests) and about_transactions(requests)
