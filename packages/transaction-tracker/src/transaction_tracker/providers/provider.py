"""The process of one RPC endpoint: it asks, and notes how well that goes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from beamish import Continue, From, GenServer, NoReply, Pid, call, process
from transaction_tracker.providers import events
from transaction_tracker.providers.board import Board
from transaction_tracker.providers.endpoint import Endpoint
from transaction_tracker.providers.health import error_class
from transaction_tracker.sources import MalformedError, SourceError
from transaction_tracker.sources.ethereum import fields
from transaction_tracker.sources.ethereum.rpc import Identity, Request

T = TypeVar("T")

logger = logging.getLogger("transaction_tracker")


@dataclass(frozen=True, slots=True)
class Look:
    """It is time to see how the provider does."""


class Provider(GenServer):
    """Ask one provider.

    Each question is a process of its own, linked to this one, so that many wait for their
    answers at the same time and none is left when this one dies.

    Args:
        endpoint: Which provider.
        board: All of them.
        interval: Seconds between looks at it; one that was heard of since is left in peace.
    """

    def __init__(self, endpoint: Endpoint, board: Board, interval: float) -> None:
        self._endpoint = endpoint
        self._board = board
        self._interval = interval
        self._checking = False
        self._looking = False
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
        return seen is None or now - seen >= self._interval

    async def _look_at_head(self) -> None:
        await self._see_head()
        self._looking = False

    async def _see_head(self) -> None:
        height = await self._attempt(1, self._height)
        if isinstance(height, int):
            self._board.saw_head(self._endpoint, height, _now())

    async def _height(self) -> int:
        return fields.height(await self._endpoint.client.call("eth_blockNumber"), "head")

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
        if wrong is None:
            self._resumed()
            await self._see_head()
        self._checking = False
        waiting, self._waiting = self._waiting, []
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
        answer = await self._attempt(len(requests), lambda: self._results(requests))
        if isinstance(answer, list):
            self._note(requests, answer)
        GenServer.reply(from_, answer)

    async def _results(self, requests: Sequence[Request]) -> list[Any]:
        results = await self._endpoint.client.batch(requests)
        errors = [one for one in results if isinstance(one, SourceError)]
        if errors and len(errors) == len(results) and _is_its_own(requests, errors[0]):
            raise errors[0]  # not about one question, as it seems
        return results

    async def _attempt(self, calls: int, work: Callable[[], Awaitable[T]]) -> T | SourceError:
        """Do something at the provider, and note how it went."""
        started = _now()
        try:
            answer = await work()
        except SourceError as error:
            return self._failed(error, _now() - started, calls)
        except Exception:  # whatever a hostile answer makes of our code: the others go on
            logger.exception("an answer of provider %s is beyond us", self._endpoint.name)
            strange = MalformedError(f"{self._endpoint.name}: the answer is beyond us")
            return self._failed(strange, _now() - started, calls)
        self._endpoint.health.answered(_now() - started)
        events.request(self._endpoint.name, "ok", _now() - started, calls)
        return answer

    def _failed(self, error: SourceError, seconds: float, calls: int) -> SourceError:
        kind = error_class(error)
        events.request(self._endpoint.name, kind, seconds, calls)
        self._endpoint.last_error = str(error)
        pause = self._endpoint.health.failed(kind, _now())
        if pause is not None:
            logger.warning(
                "provider %s is paused for %.0f s: %s", self._endpoint.name, pause, error
            )
            events.paused(self._endpoint.name, kind, pause)
        return error

    def _note(self, requests: Sequence[Request], results: list[Any]) -> None:
        """Learn from single answers what concerns the provider itself."""
        for request, result in zip(requests, results, strict=True):
            if isinstance(result, SourceError):
                self._endpoint.health.erred(error_class(result))
                self._endpoint.last_error = str(result)
            elif request.method == "eth_blockNumber" or _is_for_head(request):
                self._note_head(result)

    def _note_head(self, result: Any) -> None:
        number = result.get("number") if isinstance(result, dict) else result
        try:
            height = fields.height(number, "head")
        except MalformedError:
            return  # whoever asked says so
        self._board.saw_head(self._endpoint, height, _now())


# Failures that another provider may not have.
_ITS_FAULT = ("transport", "rate_limit", "server", "malformed")
# Questions about a single transaction: one that a node breaks at may break all nodes.
_ABOUT_ONE = ("eth_getTransactionByHash", "eth_getTransactionReceipt", "eth_call")


def _is_its_own(requests: Sequence[Request], error: SourceError) -> bool:
    """Say whether the error that all of some requests met speaks of the provider itself.

    Source:
        OpenZeppelin Relayer#681: "internal error" (-32603) said of one transaction, by every
        node that was asked, paused them all.
    """
    kind = error_class(error)
    if kind == "server" and all(one.method in _ABOUT_ONE for one in requests):
        return False
    return kind in _ITS_FAULT


def _is_for_head(request: Request) -> bool:
    return request.method == "eth_getBlockByNumber" and request.params[:1] == ("latest",)


def _now() -> float:
    return asyncio.get_running_loop().time()
