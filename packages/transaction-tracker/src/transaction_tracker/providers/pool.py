"""Several providers of one chain as one: one is followed, the others stand by."""

import asyncio
import logging
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from beamish import ChildSpec, Pid, Supervisor, Task, Via
from transaction_tracker.domain import BlockRef, Chain
from transaction_tracker.providers.asking import answered, ask_at, checked, results_or_errors
from transaction_tracker.providers.board import Board
from transaction_tracker.providers.dissent import Inquiry, dissent
from transaction_tracker.providers.endpoint import PROVIDERS, Endpoint
from transaction_tracker.providers.heads import Heads, Rhythm
from transaction_tracker.providers.hints import Hints
from transaction_tracker.providers.mending import mended
from transaction_tracker.providers.provider import Provider
from transaction_tracker.providers.questions import is_read
from transaction_tracker.providers.settings import ProviderSettings, check_pool
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
from transaction_tracker.sources.ethereum.rpc import Dissent, Identity, NodeResults, Request

MAX_LAG = 3
LOOK_SECONDS = 10.0
# A provider's process has little to crash of; one that does must not take the tree along soon.
_MAX_RESTARTS = 10
_MAX_SECONDS = 10.0
# Once one provider has answered, a start does not wait for those that may hang.
_GRACE_SECONDS = 1.0
# Unless it is open which chain they are on: at the first start, those that hang have a vote.
_VOTE_SECONDS = 5.0
# Another provider may well do better.
_ELSEWHERE = (TransportError, ServerError, RateLimitedError, MalformedError)

logger = logging.getLogger("transaction_tracker")


class Pool:
    """Asks providers of one chain: an ``Rpc``.

    One provider is followed for as long as it does well. When it is paused, or more than
    ``max_lag`` blocks behind others of its chain, or behind them without advancing for 30 s,
    or when most providers hold another chain, the best other one is followed instead; the follower
    sees the difference as a reorganisation.
    When all are paused, all are checked at once, and whichever answers is followed. Those that
    somebody paused by hand are left alone.

    Args:
        settings: The providers, in the order in which they are preferred.
        chain_id: The chain that they must be on; ``None`` takes the word of most.
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
        check_pool(settings, chain_id, max_lag, look_interval)
        endpoints = [Endpoint(one, place) for place, one in enumerate(settings, start=1)]
        self._rhythm = replace(rhythm or Rhythm())
        self._board = Board(endpoints, chain_id, max_lag, look_interval)
        self._hints = Hints(hints)
        self.pace(self._rhythm.block_time)

    def __str__(self) -> str:
        return ", ".join(str(one.settings.url) for one in self._board.endpoints)

    def __repr__(self) -> str:
        return f"Pool({str(self)!r}, active={self._board.active!r})"

    def pace(self, block_time: float) -> None:
        """Use this many seconds between blocks from now on, for lag and for announced heads."""
        self._rhythm.block_time = block_time
        self._board.flutter = max(self._board.look_interval, 2 * block_time)

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
    def calls_per_request(self) -> int:
        """How many calls go in one request now at the provider that is followed."""
        sizes = {one.name: one.client.calls_per_request for one in self._board.endpoints}
        return sizes.get(self._board.active or "", min(sizes.values()))

    @property
    def is_compared(self) -> bool:
        """Whether more than one provider is configured."""
        return len(self._board.endpoints) > 1

    @property
    def addresses(self) -> Mapping[str, str]:
        """The host and the port of each provider, by its name."""
        return {one.name: one.settings.url.authority for one in self._board.endpoints}

    async def identity(
        self, at: int | None = None, *, expected: BlockRef | None = None
    ) -> Identity:
        """Check all providers: which chain they are on, and that it is the same one.

        At the first start, the chain that most of them are on decides. One on another chain is
        refused from now on. Those that do not answer are checked
        again later, by themselves.

        Args:
            at: Height of the block by which the chain is known, from now on; ``None`` keeps the
                height, or finds one at the first check.
            expected: The block at that height, where it is known: a provider that has another
                one is refused, also if it comes first.

        Raises:
            WrongChainError: All that can be asked are on another chain, or two chains have as many
                providers each.
            SourceError: None that is on the right one answers.
        """
        if at is not None:
            self._board.compare_at(at)
            self._board.expected = expected
        errors = await self._check_all()
        self._board.settle()
        if self._board.needs_comparison:
            # Some were asked before it was known at which height.
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

        A result that is a server error or cannot be read is asked of the other providers in
        turn.

        Returns:
            For each call its result, or the ``SourceError`` that it met alone.

        Raises:
            SourceError: The whole batch got no answer.
        """
        return await self._ask(requests) if requests else []

    async def batch_without_failover(self, requests: Sequence[Request]) -> NodeResults:
        """Call many methods at the provider that is followed, and at no other one."""
        followed = await self._followed()
        results = await results_or_errors(followed, requests)
        return NodeResults(followed.name, dict(zip(requests, results, strict=True)))

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
                result = (await ask_at(endpoint, [Request(method, params)]))[0]
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
            *(results_or_errors(one, requests) for one in await self._in_turn())
        )

    async def versions(self, request: Request) -> Mapping[str, Any]:
        """Call one method at every healthy provider, if more than one is configured.

        Raises:
            SourceError: None of them is healthy.
        """
        if not self.is_compared:
            return {}
        asked = await self._in_turn()
        answers = await asyncio.gather(*(results_or_errors(one, [request]) for one in asked))
        return {one.name: answer for one, (answer,) in zip(asked, answers, strict=True)}

    async def each(self, requests: Mapping[str, Sequence[Request]]) -> Mapping[str, Sequence[Any]]:
        """Call methods at providers by name, and at no other one; see ``Rpc.each``."""
        answers = await asyncio.gather(
            *(results_or_errors(self._board.named(name), own) for name, own in requests.items())
        )
        return dict(zip(requests, answers, strict=True))

    def blame(self, node: str, number: int) -> None:
        """Count a block with a wrong parent; a provider that sends several in a row is paused."""
        Provider.sent_wrong_parent(self._board.named(node).process, number)

    def left_out(self, node: str, number: int) -> None:
        """Count a block that lacks a transaction; a provider that sends several is paused."""
        Provider.sent_incomplete_block(self._board.named(node).process, number)

    async def elsewhere(self, requests: Sequence[Request]) -> list[Any]:
        """Call methods at the healthy providers other than the followed one, in turn.

        Returns:
            For each request the first readable result that is not ``null``, or ``None``.
        """
        found: list[Any] = [None] * len(requests)
        tried = {self._board.active or ""}
        while (left := [at for at, one in enumerate(found) if one is None]) and (
            other := self._board.another(tried)
        ):
            tried.add(other.name)
            answers = await results_or_errors(other, [requests[at] for at in left])
            for at, answer in zip(left, answers, strict=True):
                found[at] = None if isinstance(answer, SourceError) else answer
        return found

    async def one_other(self, requests: Sequence[Request]) -> list[Any]:
        """Call methods at one of the other healthy providers; see ``Rpc.one_other``."""
        _followed, *others = await self._in_turn()
        if not others:
            return [None] * len(requests)
        # Not in rotation: a transaction could meet the same provider each time.
        asked = random.choice(others)  # noqa: S311 - not a secret
        answers = await results_or_errors(asked, requests)
        return [None if isinstance(answer, SourceError) else answer for answer in answers]

    # -- Comparing

    def follows(self, chain: Chain) -> None:
        """Set the chain that is followed, after each change of it.

        The providers' heads are compared with it: for the choice of the provider to follow, and
        for ``dissent``.
        """
        self._board.follows(chain)

    async def dissent(
        self,
        chain: Chain,
        blocks: Collection[BlockRef],
        requests: Sequence[Request] = (),
        known: NodeResults | None = None,
    ) -> Dissent:
        """Find the healthy providers whose chains do not contain some blocks; see ``Rpc.dissent``.

        A provider that showed one of our blocks within ``look_interval`` agrees on that block
        and all below it, and is not asked about it. Rate limits and refusals are no answer and
        no dissent.

        Raises:
            SourceError: There are ``requests``, and none of the providers is healthy.
        """
        if not blocks:
            return Dissent()
        endpoints = await self._in_turn() if requests else self._board.usable()
        start = asyncio.get_running_loop().time() - self._board.look_interval
        inquiry = Inquiry(chain, blocks, start, requests, known or NodeResults(""))
        dismissed = frozenset(one.name for one in self._board.endpoints if one.by_hand)
        voters = len(self._board.endpoints) - len(dismissed)
        found = await dissent(endpoints, inquiry)
        return replace(found, dismissed=dismissed, voters=voters)

    async def close(self) -> None:
        """Close the connections; the next request opens them again."""
        for one in self._board.endpoints:
            await one.client.close()

    # -- Managing

    def status(self) -> list[ProviderStatus]:
        """Describe the providers, in the order in which they are preferred."""
        return [self._board.status(one) for one in self._board.endpoints]

    async def pause(self, name: str) -> ProviderStatus:
        """Ask a provider no more until it is resumed; ``LookupError`` for an unknown name."""
        endpoint = self._board.named(name)
        await answered(endpoint, Provider.pause(endpoint.process))
        logger.info("provider %s is paused by hand", name)
        return self._board.status(endpoint)

    async def resume(self, name: str) -> ProviderStatus:
        """End any pause of a provider, once a check has succeeded; its status says whether."""
        endpoint = self._board.named(name)
        await answered(endpoint, Provider.resume(endpoint.process))
        return self._settled(endpoint)

    async def check(self, name: str) -> ProviderStatus:
        """Ask a provider which chain it is on, also a refused one, and give its new status."""
        endpoint = self._board.named(name)
        await answered(endpoint, Provider.check(endpoint.process))
        return self._settled(endpoint)

    # -- Choosing

    def _children(self) -> list[ChildSpec]:
        specs = []
        for one in self._board.endpoints:
            specs.append(Provider.child_spec(one, self._board, name=one.process))
            if one.settings.ws_url is not None:
                url = one.settings.ws_url
                heads = Heads(one, url, self._board, self._hints, self._rhythm)
                spec = Task.child_spec(heads.listen, id=f"{one.process}.Heads")
                specs.append(spec.replace(restart="permanent"))
        return specs

    def _settled(self, endpoint: Endpoint) -> ProviderStatus:
        self._board.settle()
        return self._board.status(endpoint)

    async def _ask(self, requests: Sequence[Request]) -> list[Any]:
        first = await self._followed()
        asked = {first.name}
        try:
            results = await ask_at(first, requests)
        except _ELSEWHERE as error:
            other = self._board.another(asked) if all(map(is_read, requests)) else None
            if other is None:
                raise
            logger.debug("asking %s instead of %s: %s", other.name, first.name, error)
            first, results = other, await ask_at(other, requests)
        return await mended(self._board, asked, first, requests, results)

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
        tasks = {asyncio.ensure_future(checked(one)): one.name for one in asked}
        found: dict[str, SourceError | None] = {}
        waiting = set(tasks)
        try:
            while waiting:
                patience = self._patience() if None in found.values() else None
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

    def _patience(self) -> float:
        return _GRACE_SECONDS if self._board.is_decided else _VOTE_SECONDS

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
