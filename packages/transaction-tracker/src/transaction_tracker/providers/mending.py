"""Asking the other providers for results that one of them could not give."""

import logging
from collections.abc import Collection, Sequence
from typing import Any

from transaction_tracker.providers.asking import ask_at
from transaction_tracker.providers.board import Board
from transaction_tracker.providers.endpoint import Endpoint
from transaction_tracker.providers.health import BlockPart
from transaction_tracker.providers.provider import Provider
from transaction_tracker.providers.questions import block_part, is_read
from transaction_tracker.sources import MalformedError, ServerError, SourceError
from transaction_tracker.sources.ethereum.rpc import Request

logger = logging.getLogger("transaction_tracker")


class Mending:
    """The results of some requests, of which broken ones are asked of other providers.

    Broken are a ``ServerError`` and a ``MalformedError``: another provider can do better. A
    provider that sent a block unreadable is blamed for it only when another one sends it
    readable. What all of them send alike is the chain's own data, and blaming them for it would
    pause every provider.

    Args:
        requests: What was asked.
        results: What the first provider answered; replaced in place as better ones come.
        first: That provider.
    """

    def __init__(self, requests: Sequence[Request], results: list[Any], first: Endpoint) -> None:
        self._requests = requests
        self._results = results
        broken = [isinstance(one, ServerError | MalformedError) for one in results]
        self.left = [
            at for at, is_broken in enumerate(broken) if is_broken and is_read(requests[at])
        ]
        self._all_failed = all(isinstance(one, ServerError) for one in results)
        self._absent: set[int] = set()
        self._suspects: dict[int, list[Endpoint]] = {
            at: [first] for at in self.left if isinstance(results[at], MalformedError)
        }
        self.guilty: dict[tuple[str, BlockPart], Endpoint] = {}

    @property
    def open_requests(self) -> list[Request]:
        """The requests whose results are still broken."""
        return [self._requests[at] for at in self.left]

    def take(self, answers: Sequence[Any], provider: Endpoint) -> None:
        """Take over what another provider answered to the open requests."""
        for at, answer in zip(tuple(self.left), answers, strict=True):
            if isinstance(answer, MalformedError):
                self._suspects.setdefault(at, []).append(provider)
            elif answer is None:
                self._absent.add(at)
            elif not isinstance(answer, SourceError):
                self._replace(at, answer)

    def finished(self) -> list[Any]:
        """Return the results once all providers were asked.

        The first error stays where no provider has a readable result. That another one knows of
        nothing is not a fact, because it may be behind; only where the first one failed at
        everything, ``None`` counts.
        """
        for at in self._absent.intersection(self.left) if self._all_failed else ():
            self._results[at] = None
        return self._results

    def _replace(self, at: int, answer: Any) -> None:
        self._results[at] = answer
        self.left.remove(at)
        part = block_part(self._requests[at])
        if part is not None:
            self.guilty |= {(one.name, part): one for one in self._suspects.get(at, ())}


async def mended(
    board: Board,
    asked: Collection[str],
    first: Endpoint,
    requests: Sequence[Request],
    results: list[Any],
) -> list[Any]:
    """Ask the other providers in turn for each broken result, until one is readable.

    Args:
        board: All providers.
        asked: The names of those that were asked before.
        first: The one of them that gave ``results``.
        requests: What was asked.
        results: What came; changed in place.
    """
    mending = Mending(requests, results, first)
    tried = {*asked, first.name}
    while mending.left and (other := board.another(tried)):
        tried.add(other.name)
        logger.debug("asking %s for %d broken results", other.name, len(mending.left))
        try:
            mending.take(await ask_at(other, mending.open_requests), other)
        except SourceError:
            continue  # it gives no answer at all, and so no opinion
    for (_, part), endpoint in mending.guilty.items():
        Provider.sent_unreadable_block(endpoint.process, part)
    return mending.finished()
