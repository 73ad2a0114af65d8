"""The process of one RPC endpoint: it asks, and notes how well that goes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from beamish import Continue, From, GenServer, NoReply, Pid, call, cast, process
from transaction_tracker.providers import events
from transaction_tracker.providers.board import Board
from transaction_tracker.providers.endpoint import Endpoint
from transaction_tracker.providers.health import FAILURES, BlockPart, error_class
from transaction_tracker.providers.questions import (
    about_transactions,
    asks_for_head,
    block_part,
    head_of,
    height_request,
    look_requests,
    whole_failure,
)
from transaction_tracker.providers.views import View
from transaction_tracker.sources import MalformedError, NotYetError, ServerError, SourceError
from transaction_tracker.sources.ethereum.rpc import Identity, Request

T = TypeVar("T")

logger = logging.getLogger("transaction_tracker")


# A look comes once a provider's last answer is older than so many intervals. The looks of all
# providers are due at about the time at which most chains have a block: a little later, the
# questions about that block have made most of them unnecessary.
_MAX_AGE = 1.5
# The same for the followed provider: nobody seems to follow it.
_MAX_FOLLOWED_AGE = 3


@dataclass(frozen=True, slots=True)
class Look:
    """It is time to see how the provider does."""


class Provider(GenServer):
    """Ask one provider.

    Each question is a process of its own, linked to this one, so that many wait for their
    answers at the same time and none is left when this one dies.

    Args:
        endpoint: Which provider.
        board: All of them. A provider that showed its head within the board's ``look_interval``
            is not looked at.
    """

    def __init__(self, endpoint: Endpoint, board: Board) -> None:
        self._endpoint = endpoint
        self._board = board
        self._interval = board.look_interval
        self._checking = False
        self._looking = False
        self._wrong_parents: list[int] = []
        self._incomplete: set[int] = set()
        self._waiting: list[From] = []
        self._asking: set[Pid] = set()

    def init(self) -> Continue:
        """Check it while the others start."""
        return Continue(Look())

    def handle_continue(self, _arg: object) -> None:
        """Look for the first time."""
        self._look()

    def handle_info(self, message: object) -> None:
        """Look from time to time."""
        match message:
            case Look():
                self._look()
            case _:
                super().handle_info(message)

    async def terminate(self, _reason: object) -> None:
        """Close the connections, once nobody can open them again."""
        for pid in list(self._asking):
            process.unlink(pid)
            process.exit(pid, "kill")
        await self._endpoint.client.close()

    @call(timeout=None)
    def ask(self, requests: Sequence[Request], *, from_: From) -> NoReply:
        """Call many methods; a list of results, or the ``SourceError`` that all of them met."""
        self._spawn(self._ask, requests, from_)
        return NoReply()

    @call(timeout=None)
    def look(self, height: int | None, requests: Sequence[Request] = (), *, from_: From) -> NoReply:
        """Ask for its head and its block at a height, and send other calls along.

        Replies with a ``View`` or a ``SourceError``, and with the results of the calls.
        """
        self._spawn(self._look_for, height, requests, from_)
        return NoReply()

    @cast
    def sent_unreadable_block(self, part: BlockPart) -> None:
        """Count a block that could not be read, and that another provider sent readable."""
        error = MalformedError(self._endpoint.last_error or f"{self._endpoint.name}: unreadable")
        self._pause_after(error, self._endpoint.health.unreadable_block(part, _now()))

    @cast
    def sent_wrong_parent(self, number: int) -> None:
        """Count a block whose parent another provider names, and our chain holds.

        Each such block is asked of all providers, and its parent is waited for first.
        """
        in_a_row = self._wrong_parents[-1:] in ([number - 1], [number])
        self._wrong_parents = sorted({*self._wrong_parents, number} if in_a_row else {number})
        if len(self._wrong_parents) < FAILURES:
            return
        self._wrong_parents = []
        endpoint = self._endpoint
        endpoint.last_error = f"{endpoint.name}: block {number} has a wrong parentHash"
        error = MalformedError(endpoint.last_error)
        self._pause_after(error, endpoint.health.pause(_now()))

    @cast
    def sent_incomplete_block(self, number: int) -> None:
        """Count a block without a transaction that most providers list in it."""
        self._incomplete.add(number)
        endpoint = self._endpoint
        endpoint.health.erred("malformed")
        endpoint.last_error = f"{endpoint.name}: block {number} lacks a transaction"
        if len(self._incomplete) >= FAILURES:
            self._incomplete.clear()
            error = MalformedError(endpoint.last_error)
            self._pause_after(error, endpoint.health.pause(_now()))

    @call(timeout=None)
    def check(self, *, from_: From) -> NoReply:
        """Ask which chain it is on, which ends a pause; ``None``, or what is wrong."""
        self._check_for(from_)
        return NoReply()

    @call
    def pause(self) -> None:
        """Ask it no more until somebody says so."""
        self._endpoint.by_hand = True

    @call(timeout=None)
    def resume(self, *, from_: From) -> NoReply:
        """End any pause, after a check; ``None``, or what is wrong."""
        self._endpoint.by_hand = False
        self._check_for(from_)
        return NoReply()

    # -- Looking

    def _look(self) -> None:
        process.send_after(self.pid, Look(), self._interval)
        endpoint, now = self._endpoint, _now()
        if endpoint.standing == "refused" or endpoint.by_hand:
            return
        until = endpoint.health.paused_until
        if until is not None or endpoint.standing == "unchecked":
            if until is None or now >= until:
                self._check_for()
        elif not self._looking and self._is_stale(now):
            self._looking = True
            self._spawn(self._look_at_head)

    def _is_stale(self, now: float) -> bool:
        seen = self._endpoint.health.head_seen
        # The followed provider is asked for its head anyway, about once a block time.
        is_followed = self._board.active == self._endpoint.name
        age = (_MAX_FOLLOWED_AGE if is_followed else _MAX_AGE) * self._interval
        is_old = seen is None or now - seen >= age
        return is_old or not self._board.knows_side(self._endpoint, now - _MAX_AGE * self._interval)

    async def _look_at_head(self) -> None:
        await self._view(self._board.look_height(_now()))
        self._looking = False

    async def _look_for(self, height: int | None, requests: Sequence[Request], from_: From) -> None:
        GenServer.reply(from_, await self._view(height, requests))

    async def _view(
        self, height: int | None, requests: Sequence[Request] = ()
    ) -> tuple[View | SourceError, list[Any]]:
        """Ask for the head, for the block at a height, and more; all in one request."""
        looks = look_requests(height)
        answer = await self._results([*looks, *requests])
        if isinstance(answer, SourceError):
            return answer, [answer] * len(requests)
        return self._shown(answer[: len(looks)]), answer[len(looks) :]

    def _shown(self, answer: list[Any]) -> View | SourceError:
        """Return what the answers to a look show, and note it."""
        head, *blocks = answer
        if isinstance(head, MalformedError) and self._board.has_readable_heads(
            self._endpoint, _now()
        ):
            self._pause_after(head, self._endpoint.health.unreadable_block("place", _now()))
        if isinstance(head, SourceError):
            return head
        if head is None:
            return NotYetError(f"{self._endpoint.name}: it has no head yet")
        (block,) = blocks or (None,)
        known = None if isinstance(block, SourceError) else block
        view = View(head, _now(), known, _now())
        self._board.saw_view(self._endpoint, view)
        is_open = view.side(self._board.chain) == "unknown"
        return block if isinstance(block, SourceError) and is_open else view

    # -- Checking

    def _check_for(self, *waiting: From) -> None:
        self._waiting += waiting
        if not self._checking:
            self._checking = True
            self._spawn(self._check)

    async def _check(self) -> None:
        found = await self._attempt(2, self._identity)
        wrong = (
            found if isinstance(found, SourceError) else self._board.judge(self._endpoint, found)
        )
        # A caller that comes from here on needs answers from here on: it gets a check of its own.
        self._checking = False
        waiting, self._waiting = self._waiting, []
        if wrong is None:
            self._resumed()
            await self._view(self._board.look_height(_now()))
        for from_ in waiting:
            GenServer.reply(from_, wrong)

    async def _identity(self) -> Identity:
        """Ask which chain it is on, at the height at which providers are compared."""
        while True:
            at = self._board.at
            identity = await self._endpoint.client.identity(at)
            if at == self._board.at:  # it can be chosen while the question is on its way
                return identity

    def _resumed(self) -> None:
        if self._endpoint.health.paused_until is not None:
            logger.info("provider %s answers again", self._endpoint.name)
        self._endpoint.health.resumed()

    # -- Asking

    def _spawn(self, work: Callable[..., Awaitable[None]], *args: object) -> None:
        process.spawn_link(self._run, work, *args)

    async def _run(self, work: Callable[..., Awaitable[None]], *args: object) -> None:
        me = process.current()
        self._asking.add(me)
        try:
            await work(*args)
        finally:
            self._asking.discard(me)

    async def _ask(self, requests: Sequence[Request], from_: From) -> None:
        GenServer.reply(from_, await self._results(requests))

    async def _results(self, requests: Sequence[Request]) -> list[Any] | SourceError:
        """Ask, and note what the answer says about the provider.

        Returns:
            For each request its result or the error that it met; one error where the whole
            request failed.
        """
        extra = [height_request()] if self._may_be_the_calls(requests) else []
        asked = [*extra, *requests]
        results: list[Any] = []

        async def work() -> list[Any]:
            results[:] = await self._endpoint.client.batch(asked)
            error = whole_failure(asked, results)
            if error is not None:
                raise error
            return results

        answer = await self._attempt(len(asked), work)
        if isinstance(answer, list):
            self._note(asked, answer)
        elif not (isinstance(answer, ServerError) and results):
            return answer
        # Where the request is answered, each part of it can be asked elsewhere.
        return results[len(extra) :]

    def _may_be_the_calls(self, requests: Sequence[Request]) -> bool:
        """Return whether every call can be limited although the provider is not.

        A limit of every call is about the whole request. Without another call, a few transactions
        that are always limited would look like that, and their block would wait without end. A
        full batch of them does not come about.
        """
        together = self._endpoint.client.calls_per_request
        is_short = len(requests) < together or together == 1
        return is_short and bool(requests) and about_transactions(requests)

    async def _attempt(self, calls: int, work: Callable[[], Awaitable[T]]) -> T | SourceError:
        """Do something at the provider, and note how it went."""
        started = _now()
        try:
            answer = await work()
        except SourceError as error:
            return self._failed(error, _now() - started, calls)
        except Exception:  # whatever a hostile answer makes of our code: the others go on
            logger.exception("could not parse a response from provider %s", self._endpoint.name)
            strange = MalformedError(f"{self._endpoint.name}: could not parse the response")
            return self._failed(strange, _now() - started, calls)
        # An unreadable part counts in the error rate. It never pauses the provider by itself:
        # a single odd transaction would pause every provider that has it.
        is_odd = isinstance(answer, list) and any(isinstance(one, MalformedError) for one in answer)
        self._endpoint.health.answered(_now() - started, "malformed" if is_odd else None)
        outcome = "malformed" if is_odd else "ok"
        events.request(self._endpoint.name, outcome, _now() - started, calls)
        return answer

    def _failed(self, error: SourceError, seconds: float, calls: int) -> SourceError:
        kind = error_class(error)
        events.request(self._endpoint.name, kind, seconds, calls)
        self._endpoint.last_error = str(error)
        self._pause_after(error, self._endpoint.health.failed(kind, _now()))
        return error

    def _pause_after(self, error: SourceError, pause: float | None) -> None:
        """Log a pause that the provider's health has decided on."""
        if pause is None:
            return
        name = self._endpoint.name
        logger.warning("provider %s is paused for %.0f s: %s", name, pause, error)
        events.paused(name, error_class(error), pause)

    def _note(self, requests: Sequence[Request], results: list[Any]) -> None:
        """Learn from single answers what concerns the provider itself."""
        for request, result in zip(requests, results, strict=True):
            if isinstance(result, SourceError):
                if isinstance(result, MalformedError) and asks_for_head(request):
                    self._endpoint.unreadable_head_at = _now()
                self._endpoint.health.erred(error_class(result))
                self._endpoint.last_error = str(result)
                continue
            part = block_part(request)
            if result is not None and part is not None:
                self._endpoint.health.readable_block(part)
            if asks_for_head(request):
                self._note_head(result)

    def _note_head(self, result: Any) -> None:
        try:
            head = head_of(result)
        except MalformedError:
            return  # the caller has the result, and reads it
        if isinstance(head, int):
            self._board.saw_head(self._endpoint, head, _now())
        elif head is not None:
            self._board.saw_link(self._endpoint, head, _now())


def _now() -> float:
    return asyncio.get_running_loop().time()
