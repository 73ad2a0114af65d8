"""Fallback to other providers for results that one provider could not give."""

import logging
from collections.abc import Collection, Sequence
from typing import Any

from transaction_tracker.providers.calls import ask
from transaction_tracker.providers.endpoint import RpcEndpoint
from transaction_tracker.providers.health import BlockPart
from transaction_tracker.providers.pool_state import PoolState
from transaction_tracker.providers.requests import block_part, is_read
from transaction_tracker.sources import MalformedError, ServerError, SourceError
from transaction_tracker.sources.ethereum.rpc import Request

logger: logging.Logger = logging.getLogger("transaction_tracker")


class BrokenResults:
    """Results of some requests, whose broken ones are replaced by those of other providers.

    A ``ServerError`` and a ``MalformedError`` are broken: another provider can have a result. A
    provider that sent an unreadable block is blamed for it only when another provider sends the
    same block in a readable form. A block that all providers send unreadable is the chain's own
    data, and blame for it would pause every provider.

    Args:
        requests: The requests.
        results: The results of the first provider; replaced in place.
        first: The first provider.
    """

    def __init__(self, requests: Sequence[Request], results: list[Any], first: RpcEndpoint) -> None:
        self._requests = requests
        self._results = results
        broken = [isinstance(result, ServerError | MalformedError) for result in results]
        self.open_indexes: list[int] = [
            index
            for index, is_broken in enumerate(broken)
            if is_broken and is_read(requests[index])
        ]
        self._all_failed = all(isinstance(result, ServerError) for result in results)
        self._absent: set[int] = set()
        self._suspects: dict[int, list[RpcEndpoint]] = {
            index: [first]
            for index in self.open_indexes
            if isinstance(results[index], MalformedError)
        }
        self.blamed: dict[tuple[str, BlockPart], RpcEndpoint] = {}

    @property
    def open_requests(self) -> list[Request]:
        """The requests whose results are still broken."""
        return [self._requests[index] for index in self.open_indexes]

    def add(self, results: Sequence[Any], provider: RpcEndpoint) -> None:
        """Use the results of another provider for the open requests."""
        for index, result in zip(tuple(self.open_indexes), results, strict=True):
            if isinstance(result, MalformedError):
                self._suspects.setdefault(index, []).append(provider)
            elif result is None:
                self._absent.add(index)
            elif not isinstance(result, SourceError):
                self._replace(index, result)

    def finish(self) -> list[Any]:
        """Return the results once all providers were asked.

        If no provider has a readable result, the first error stays. ``None`` from another provider
        does not replace it, because that provider can be behind. Only if the first provider failed
        at all requests, ``None`` counts.
        """
        for index in self._absent.intersection(self.open_indexes) if self._all_failed else ():
            self._results[index] = None
        return self._results

    def _replace(self, index: int, result: Any) -> None:
        self._results[index] = result
        self.open_indexes.remove(index)
        part = block_part(self._requests[index])
        if part is not None:
            suspects = self._suspects.get(index, ())
            self.blamed |= {(suspect.name, part): suspect for suspect in suspects}


async def replace_broken_results(
    state: PoolState,
    asked: Collection[str],
    first: RpcEndpoint,
    requests: Sequence[Request],
    results: list[Any],
) -> list[Any]:
    """Ask the other providers in turn for each broken result, until one of them can be read.

    Args:
        state: State of the pool.
        asked: Names of the providers that were asked before.
        first: The provider that gave ``results``.
        requests: The requests.
        results: The results; changed in place.
    """
    broken = BrokenResults(requests, results, first)
    tried = {*asked, first.name}
    while broken.open_indexes and (other := state.next_best(tried)):
        tried.add(other.name)
        logger.debug("asking %s for %d broken results", other.name, len(broken.open_indexes))
        try:
            broken.add(await ask(state, other, broken.open_requests), other)
        except SourceError:
            continue  # this provider does not respond at all: that decides nothing
    for (_, part), endpoint in broken.blamed.items():
        endpoint.record_unreadable_block(part)
    return broken.finish()
