"""Several providers of one chain as one: one is followed, the others stand by."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Sequence
from typing import Any

from beamish import ChildSpec, ExitError, Pid, Supervisor, Task, Via
from transaction_tracker.providers.board import Board
from transaction_tracker.providers.endpoint import PROVIDERS, Endpoint
from transaction_tracker.providers.heads import Heads, Rhythm
from transaction_tracker.providers.hints import Hints
from transaction_tracker.providers.provider import Provider
from transaction_tracker.providers.settings import ProviderSettings
from transaction_tracker.providers.status import ProviderStatus
from transaction_tracker.sources import (
    MalformedError,
    NotYetError,
    RateLimitedError,
    ServerError,
    SourceError,
    TransportError,
    WrongChainError,
)
from transaction_tracker.sources.ethereum.rpc import Identity, Request

MAX_LAG = 3
LOOK_SECONDS = 10.0
# A provider's process has little to crash of; one that does must not take the tree along soon.
_MAX_RESTARTS = 10
_MAX_SECONDS = 10.0
# Once one provider has answered, a start does not wait for those that may hang.
_GRACE_SECONDS = 1.0
# Another provider may well do better.
_ELSEWHERE = (TransportError, ServerError, RateLimitedError, MalformedError)
# What changes nothing wherever it is asked, and however often.
_READS = ("eth_get", "eth_call", "eth_blockNumber", "eth_chainId", "eth_gasPrice", "eth_feeHistory")

logger = logging.getLogger("transaction_tracker")


class Pool:
    """Asks providers of one chain: an ``Rpc``.

    One provider is followed for as long as it does well. When it is paused, or more than
    ``max_lag`` blocks behind, the best other one is followed instead; whoever walks the chain
    sees the difference as a reorganisation. When all are paused, all are checked at once, and
    whichever answers is followed. Those that somebody paused by hand are left alone.

    Args:
        settings: The providers, in the order in which they are preferred.
        chain_id: The chain that they must be on; ``None`` takes the first one's word.
        max_lag: Blocks that the followed one may be behind while another one is not.
        look_interval: Seconds between looks at those that stand by.
        hints: Who gets a ``HeadHint`` when a provider tells of a new head.
        rhythm: How the connections that tell of new heads are watched.

    Raises:
        ValueError: There is no provider, or a number cannot be; the message says which.
    """

    def __init__(
        self,
        settings: Sequence[ProviderSettings],
        *,
        chain_id: int | None = None,
        max_lag: int = MAX_LAG,
        look_interval: float = LOOK_SECONDS,
        hints: Pid | str | Via | None = None,
        rhythm: Rhythm | None = None,
    ) -> None:
        _check(settings, chain_id, max_lag, look_interval)
        endpoints = [Endpoint(one, place) for place, one in enumerate(settings, start=1)]
        self._board = Board(endpoints, chain_id, max_lag)
        self._look_interval = look_interval
        self._hints = Hints(hints)
        self._rhythm = rhythm or Rhythm()

    def __str__(self) -> str:
        return ", ".join(str(one.settings.url) for one in self._board.endpoints)

    def __repr__(self) -> str:
        return f"Pool({str(self)!r}, active={self._board.active!r})"

    def child_spec(self) -> ChildSpec:
        """Give the supervisor of all that works for the pool, to put into a tree.

        Each stands for itself: a provider's process that crashes says nothing about the others.
        """
        return Supervisor.child_spec(
            self._children(),
            strategy="one_for_one",
            max_restarts=_MAX_RESTARTS,
            max_seconds=_MAX_SECONDS,
            name=PROVIDERS,
        )

    # -- Asking

    @property
    def requests(self) -> int:
        """How many HTTP requests were sent so far, to all of them."""
        return sum(one.client.requests for one in self._board.endpoints)

    @property
    def together(self) -> int:
        """How many calls go in one request now at the provider that is followed."""
        sizes = {one.name: one.client.together for one in self._board.endpoints}
        return sizes.get(self._board.active or "", min(sizes.values()))

    async def identity(self, at: int | None = None) -> Identity:
        """Check all providers: which chain they are on, and that it is the same one.

        One on another chain is refused from now on. Those that do not answer are checked
        again later, by themselves.

        Args:
            at: Height of the block by which the chain is known, from now on; ``None`` keeps the
                height, or finds one at the first check.

        Raises:
            WrongChainError: All that can be asked are on another chain.
            SourceError: None that is on the right one answers.
        """
        if at is not None:
            self._board.compare_at(at)
        errors = await self._check_all()
        self._board.settle()
        if self._board.reference is not None and self._board.usable():
            return self._board.reference
        raise self._why_none(errors)

    async def call(self, method: str, *params: object) -> Any:
        """Call one method at the provider that is followed, or once more at another one.

        Raises:
            SourceError: There is no result; the class says why.
        """
        (result,) = await self._ask([Request(method, params)])
        if isinstance(result, SourceError):
            raise result
        return result

    async def batch(self, requests: Sequence[Request]) -> list[Any]:
        """Call many methods at the provider that is followed, or all once more at another one.

        Returns:
            For each call its result, or the ``SourceError`` that it met alone.

        Raises:
            SourceError: The whole batch got no answer.
        """
        return await self._ask(requests) if requests else []

    async def seek(self, method: str, *params: object) -> Any:
        """Call one method at each healthy provider in turn until one knows more than ``null``.

        The one that is followed comes first.

        Raises:
            SourceError: None of them answered.
        """
        failure: SourceError | None = None
        unknown = False
        for endpoint in await self._in_turn():
            try:
                result = (await _ask_at(endpoint, [Request(method, params)]))[0]
            except SourceError as error:
                result = error
            if isinstance(result, SourceError) and not isinstance(result, NotYetError):
                failure = result
            elif result is None or isinstance(result, NotYetError):
                unknown = True
            else:
                return result
        if failure is not None and not unknown:
            raise failure
        return None

    async def everywhere(self, requests: Sequence[Request]) -> list[list[Any]]:
        """Call many methods at every healthy provider.

        Returns:
            For each provider what ``batch`` gives, or its error in every place.

        Raises:
            SourceError: None of them is healthy.
        """
        return await asyncio.gather(
            *(_results_or_errors(one, requests) for one in await self._in_turn())
        )

    async def close(self) -> None:
        """Close the connections; the next request opens them again."""
        for one in self._board.endpoints:
            await one.client.close()

    # -- Managing

    def status(self) -> list[ProviderStatus]:
        """Describe the providers, in the order in which they are preferred."""
        return [one.status(self._board.active) for one in self._board.endpoints]

    async def pause(self, name: str) -> ProviderStatus:
        """Ask a provider no more until it is resumed; ``LookupError`` for an unknown name."""
        endpoint = self._board.named(name)
        await _answered(endpoint, Provider.pause(endpoint.process))
        logger.info("provider %s is paused by hand", name)
        return endpoint.status(self._board.active)

    async def resume(self, name: str) -> ProviderStatus:
        """End any pause of a provider, once a check has succeeded; its status says whether."""
        endpoint = self._board.named(name)
        await _answered(endpoint, Provider.resume(endpoint.process))
        return self._settled(endpoint)

    async def check(self, name: str) -> ProviderStatus:
        """Ask a provider which chain it is on, also a refused one, and give its new status."""
        endpoint = self._board.named(name)
        await _answered(endpoint, Provider.check(endpoint.process))
        return self._settled(endpoint)

    # -- Choosing

    def _children(self) -> list[ChildSpec]:
        specs = []
        for one in self._board.endpoints:
            args = (one, self._board, self._look_interval)
            specs.append(Provider.child_spec(*args, name=one.process))
            if one.settings.ws_url is not None:
                url = one.settings.ws_url
                heads = Heads(one, url, self._board, self._hints, self._rhythm)
                spec = Task.child_spec(heads.listen, id=f"{one.process}.Heads")
                specs.append(spec.replace(restart="permanent"))
        return specs

    def _settled(self, endpoint: Endpoint) -> ProviderStatus:
        self._board.settle()
        return endpoint.status(self._board.active)

    async def _ask(self, requests: Sequence[Request]) -> list[Any]:
        first = await self._followed()
        try:
            results = await _ask_at(first, requests)
        except _ELSEWHERE as error:
            other = self._another(first, requests)
            if other is None:
                raise
            logger.debug("asking %s instead of %s: %s", other.name, first.name, error)
            return await _ask_at(other, requests)
        return await self._mended(first, requests, results)

    async def _mended(
        self, first: Endpoint, requests: Sequence[Request], results: list[Any]
    ) -> list[Any]:
        """Ask another provider what this one broke at, while it answered the rest."""
        broken = [at for at, one in enumerate(results) if isinstance(one, ServerError)]
        other = self._another(first, [requests[at] for at in broken]) if broken else None
        if other is None:
            return results
        answers = await _results_or_errors(other, [requests[at] for at in broken])
        for at, answer in zip(broken, answers, strict=True):
            # That the other one knows of nothing is no fact: it may be behind this one.
            if answer is not None and not isinstance(answer, SourceError):
                results[at] = answer
        return results

    def _another(self, first: Endpoint, requests: Sequence[Request]) -> Endpoint | None:
        """Choose whom to ask in place of one, if these may be asked twice."""
        if not all(one.method.startswith(_READS) for one in requests):
            return None
        return self._board.another({first.name})

    async def _followed(self) -> Endpoint:
        if self._board.reference is None:
            await self.identity()
        followed = self._board.follow()
        if followed is None:
            await self.identity()
            followed = self._board.follow()
        if followed is None:
            raise TransportError(f"{self}: no provider can be asked")
        return followed

    async def _in_turn(self) -> list[Endpoint]:
        followed = await self._followed()
        return [followed, *(one for one in self._board.usable() if one is not followed)]

    async def _check_all(self) -> dict[str, SourceError | None]:
        """Check all that nobody paused; who is late when one has answered well is left out."""
        asked = [one for one in self._board.endpoints if not one.by_hand]
        tasks = {asyncio.ensure_future(_checked(one)): one.name for one in asked}
        found: dict[str, SourceError | None] = {}
        waiting = set(tasks)
        try:
            while waiting:
                patience = _GRACE_SECONDS if None in found.values() else None
                done, waiting = await asyncio.wait(
                    waiting, timeout=patience, return_when=asyncio.FIRST_COMPLETED
                )
                if not done:
                    break
                found |= {tasks[task]: task.result() for task in done}
        finally:
            for task in waiting:
                task.cancel()
        return found

    def _why_none(self, errors: dict[str, SourceError | None]) -> SourceError:
        found = [
            error for one in self._board.endpoints if (error := errors.get(one.name)) is not None
        ]
        if not found:
            # They were good when they were checked, one by one, and are not any more.
            found = [
                SourceError(one.last_error or f"{one.name} does not answer")
                for one in self._board.endpoints
                if not one.by_hand
            ]
        if not found:
            return TransportError(f"{self}: every provider is paused by hand; resume one")
        if len(found) == 1:
            return found[0]
        text = "; ".join(str(error) for error in found)
        wrong = all(isinstance(error, WrongChainError) for error in found)
        return WrongChainError(text) if wrong else TransportError(text)


async def _ask_at(endpoint: Endpoint, requests: Sequence[Request]) -> list[Any]:
    answer = await _answered(endpoint, Provider.ask(endpoint.process, requests))
    if isinstance(answer, SourceError):
        raise answer
    return list(answer)


async def _results_or_errors(endpoint: Endpoint, requests: Sequence[Request]) -> list[Any]:
    try:
        return await _ask_at(endpoint, requests)
    except SourceError as error:
        return [error] * len(requests)


async def _checked(endpoint: Endpoint) -> SourceError | None:
    try:
        wrong: SourceError | None = await _answered(endpoint, Provider.check(endpoint.process))
    except SourceError as error:
        return error
    return wrong


async def _answered(endpoint: Endpoint, reply: Awaitable[Any]) -> Any:
    """Wait for a provider's process, whose end is as good as that of the connection."""
    try:
        return await reply
    except ExitError:
        raise TransportError(f"{endpoint.name}: its process is not there") from None


def _check(
    settings: Sequence[ProviderSettings], chain_id: int | None, max_lag: int, look_interval: float
) -> None:
    if not settings:
        raise ValueError("settings must have one provider or more, got none")
    if chain_id is not None and (type(chain_id) is not int or chain_id < 1):
        raise ValueError(f"chain_id must be 1 or more, got {chain_id!r}")
    if type(max_lag) is not int or max_lag < 0:
        raise ValueError(f"max_lag must be a number of blocks, 0 or more, got {max_lag!r}")
    if not (math.isfinite(look_interval) and look_interval > 0):
        raise ValueError(f"look_interval must be over 0 seconds, got {look_interval!r}")
