"""The process of one RPC endpoint: it sends the requests, and records their results."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from beamish import Continue, From, GenServer, NoReply, Pid, call, cast, process
from transaction_tracker.providers import events
from transaction_tracker.providers.endpoint import RpcEndpoint
from transaction_tracker.providers.health import FAILURES_TO_PAUSE, BlockPart, error_class
from transaction_tracker.providers.pool_state import PoolState
from transaction_tracker.providers.requests import (
    about_transactions,
    block_part,
    common_failure,
    head_of,
    height_request,
    is_head_request,
    probe_requests,
)
from transaction_tracker.providers.views import View
from transaction_tracker.sources import MalformedError, NotYetError, ServerError, SourceError
from transaction_tracker.sources.ethereum.classify import is_null_round
from transaction_tracker.sources.ethereum.rpc import Identity, Request

T = TypeVar("T")

logger = logging.getLogger("transaction_tracker")


# A provider is probed when its last head is older than this many probe intervals. For a block in
# which transactions end, each provider is asked, and shows its head in the same response. An age of
# more than one interval leaves time for such a block, which makes most probes unnecessary.
_MAX_HEAD_AGE_INTERVALS = 1.5
# The same for the followed provider. The follower polls its head, so a probe is needed only if the
# pool is used without a follower.
_MAX_FOLLOWED_HEAD_AGE_INTERVALS = 3
# Blocks that lack a transaction pause a provider only if they come this close together.
_INCOMPLETE_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class ProbeDue:
    """Message: probe the provider if its last head is too old."""


class Provider(GenServer):
    """Send requests to one provider.

    Each request runs in its own linked process. So requests are in flight concurrently, and none
    is left when this process ends.

    Args:
        endpoint: The provider.
        state: State of the pool.
    """

    def __init__(self, endpoint: RpcEndpoint, state: PoolState) -> None:
        self._endpoint = endpoint
        self._state = state
        self._interval = state.probe_interval
        self._checking = False
        self._probing = False
        self._wrong_parents: list[int] = []
        self._incomplete: dict[int, float] = {}  # block: when it was counted
        self._waiting: list[From] = []
        self._workers: set[Pid] = set()

    def init(self) -> Continue:
        """Check the provider while the other processes start."""
        return Continue(ProbeDue())

    def handle_continue(self, _arg: object) -> None:
        """Check the provider for the first time."""
        self._handle_probe_due()

    def handle_info(self, message: object) -> None:
        """Probe the provider at each interval, unless it has shown its head lately."""
        match message:
            case ProbeDue():
                self._handle_probe_due()
            case _:
                super().handle_info(message)

    async def terminate(self, _reason: object) -> None:
        """Stop the requests, which could open the connections again, and close the connections."""
        for pid in list(self._workers):
            process.unlink(pid)
            process.exit(pid, "kill")
        await self._endpoint.client.close()

    @call(timeout=None)
    def ask(self, requests: Sequence[Request], *, from_: From) -> NoReply:
        """Call many methods; reply with a list of results, or with the error of all of them."""
        self._spawn(self._ask, requests, from_)
        return NoReply()

    @call(timeout=None)
    def probe(
        self, height: int | None, requests: Sequence[Request] = (), *, from_: From
    ) -> NoReply:
        """Ask for the head and for the block at a height, with further requests.

        Reply with a ``View`` or a ``SourceError``, and with the results of the further requests.
        """
        self._spawn(self._reply_to_probe, height, requests, from_)
        return NoReply()

    @cast
    def record_unreadable_block(self, part: BlockPart) -> None:
        """Count a block that could not be read, although another provider sent it readable."""
        error = MalformedError(self._endpoint.last_error or f"{self._endpoint.name}: unreadable")
        self._pause_after(error, self._endpoint.health.record_unreadable_block(part, _now()))

    @cast
    def record_wrong_parent(self, number: int) -> None:
        """Count a block with another parent than at another provider and in the followed chain.

        Pauses the provider after three such blocks at consecutive heights: each of them delays
        the follower, which waits for the parent and then asks all providers for the block.
        """
        in_a_row = self._wrong_parents[-1:] in ([number - 1], [number])
        self._wrong_parents = sorted({*self._wrong_parents, number} if in_a_row else {number})
        if len(self._wrong_parents) < FAILURES_TO_PAUSE:
            return
        self._wrong_parents = []
        endpoint = self._endpoint
        endpoint.last_error = f"{endpoint.name}: block {number} has a wrong parentHash"
        error = MalformedError(endpoint.last_error)
        self._pause_after(error, endpoint.health.pause(_now()))

    @cast
    def record_incomplete_block(self, number: int) -> None:
        """Count a block without a transaction that most providers list in it.

        Pauses the provider after three such blocks within 10 minutes. They need not be
        in a row, as those with wrong parents: only blocks with a tracked transaction are compared.
        """
        endpoint, now = self._endpoint, _now()
        self._incomplete[number] = now
        self._incomplete = {
            block: at for block, at in self._incomplete.items() if now - at < _INCOMPLETE_SECONDS
        }
        endpoint.health.record_error("malformed")
        endpoint.last_error = f"{endpoint.name}: block {number} lacks a transaction"
        if len(self._incomplete) >= FAILURES_TO_PAUSE:
            self._incomplete.clear()
            error = MalformedError(endpoint.last_error)
            self._pause_after(error, endpoint.health.pause(now))

    @call(timeout=None)
    def check(self, *, from_: From) -> NoReply:
        """Check which chain the provider is on; reply with ``None``, or with the error.

        A check that succeeds ends a pause.
        """
        self._check_for(from_)
        return NoReply()

    @call
    def pause(self) -> None:
        """Pause the provider until it is resumed by hand."""
        self._endpoint.by_hand = True

    @call(timeout=None)
    def resume(self, *, from_: From) -> NoReply:
        """End any pause if a check succeeds; reply with ``None``, or with the error."""
        self._endpoint.by_hand = False
        self._check_for(from_)
        return NoReply()

    # -- Probes

    def _handle_probe_due(self) -> None:
        process.send_after(self.pid, ProbeDue(), self._interval)
        endpoint, now = self._endpoint, _now()
        if endpoint.standing == "refused" or endpoint.by_hand:
            return
        until = endpoint.health.paused_until
        if until is not None or endpoint.standing == "unchecked":
            if until is None or now >= until:
                self._check_for()
        elif not self._probing and self._needs_probe(now):
            self._probing = True
            self._spawn(self._probe)

    def _needs_probe(self, now: float) -> bool:
        head_at = self._endpoint.health.head_at
        is_followed = self._state.active == self._endpoint.name
        intervals = _MAX_FOLLOWED_HEAD_AGE_INTERVALS if is_followed else _MAX_HEAD_AGE_INTERVALS
        if head_at is None or now - head_at >= intervals * self._interval:
            return True
        start = now - _MAX_HEAD_AGE_INTERVALS * self._interval
        return not self._state.can_compare(self._endpoint, start)

    async def _probe(self) -> None:
        await self._view(self._state.probe_height(_now()))
        self._probing = False

    async def _reply_to_probe(
        self, height: int | None, requests: Sequence[Request], from_: From
    ) -> None:
        GenServer.reply(from_, await self._view(height, requests))

    async def _view(
        self, height: int | None, requests: Sequence[Request] = ()
    ) -> tuple[View | SourceError, list[Any]]:
        """Ask for the head and for the block at a height, with further requests, at once."""
        probes = probe_requests(height)
        results = await self._results([*probes, *requests])
        if isinstance(results, SourceError):
            return results, [results] * len(requests)
        return self._record_view(results[: len(probes)]), results[len(probes) :]

    def _record_view(self, results: list[Any]) -> View | SourceError:
        """Record the view that the results of a probe show, and return it."""
        head, *blocks = results
        if isinstance(head, MalformedError) and self._state.others_have_readable_heads(
            self._endpoint, _now()
        ):
            self._pause_after(head, self._endpoint.health.record_unreadable_block("head", _now()))
        if isinstance(head, SourceError):
            return head
        if head is None:
            return NotYetError(f"{self._endpoint.name}: the node has no head yet")
        (block,) = blocks or (None,)
        known = None if isinstance(block, SourceError) else block
        view = View(head, _now(), known, _now())
        self._state.record_view(self._endpoint, view)
        is_open = view.side(self._state.chain) == "unknown"
        # After a null round, the view is complete: the chain has no block with that number.
        if is_open and isinstance(block, SourceError) and not is_null_round(block):
            return block
        return view

    # -- Checks

    def _check_for(self, *waiting: From) -> None:
        self._waiting += waiting
        if not self._checking:
            self._checking = True
            self._spawn(self._check)

    async def _check(self) -> None:
        found = await self._measure(2, self._identity)
        failure = (
            found
            if isinstance(found, SourceError)
            else self._state.record_identity(self._endpoint, found)
        )
        # A caller from here on starts another check: the height can have changed since this one.
        self._checking = False
        waiting, self._waiting = self._waiting, []
        if failure is None:
            self._end_pause()
            await self._view(self._state.probe_height(_now()))
        for from_ in waiting:
            GenServer.reply(from_, failure)

    async def _identity(self) -> Identity:
        """Ask which chain the provider is on, by its block at the anchor height."""
        while True:
            height = self._state.anchor_height
            identity = await self._endpoint.client.identity(height)
            if height == self._state.anchor_height:  # it can change during the request
                return identity

    def _end_pause(self) -> None:
        if self._endpoint.health.paused_until is not None:
            logger.info("provider %s answers again", self._endpoint.name)
        self._endpoint.health.end_pause()

    # -- Requests

    def _spawn(self, work: Callable[..., Awaitable[None]], *args: object) -> None:
        process.spawn_link(self._run, work, *args)

    async def _run(self, work: Callable[..., Awaitable[None]], *args: object) -> None:
        pid = process.current()
        self._workers.add(pid)
        try:
            await work(*args)
        finally:
            self._workers.discard(pid)

    async def _ask(self, requests: Sequence[Request], from_: From) -> None:
        GenServer.reply(from_, await self._results(requests))

    async def _results(self, requests: Sequence[Request]) -> list[Any] | SourceError:
        """Send requests in one HTTP request, and record what the results say about the provider.

        Returns:
            For each request its result or its error; one error if the whole HTTP request failed.
        """
        control = [height_request()] if self._needs_control(requests) else []
        sent = [*control, *requests]
        results: list[Any] = []

        async def work() -> list[Any]:
            results[:] = await self._endpoint.client.batch(sent)
            error = common_failure(sent, results)
            if error is not None:
                raise error
            return results

        found = await self._measure(len(sent), work)
        if isinstance(found, list):
            self._record_results(sent, found)
        elif not (isinstance(found, ServerError) and results):
            return found
        # If there are results, other providers can be asked for each failed one of them.
        return results[len(control) :]

    def _needs_control(self, requests: Sequence[Request]) -> bool:
        """Return whether to add a call for the height of the head, as a control.

        A rate limit on every call counts as a rate limit of the provider. A few transactions on
        which the provider always answers with a rate limit would look the same, and their block
        would wait without end. The control call gets a result only in that case. A full batch of
        such transactions does not occur, so it needs no control.
        """
        together = self._endpoint.client.calls_per_request
        is_short = len(requests) < together or together == 1
        return is_short and bool(requests) and about_transactions(requests)

    async def _measure(self, calls: int, work: Callable[[], Awaitable[T]]) -> T | SourceError:
        """Run ``work``, and record its latency and its error."""
        started = _now()
        try:
            result = await work()
        except SourceError as error:
            return self._failed(error, _now() - started, calls)
        except Exception:  # a hostile response can cause any error: other requests continue
            logger.exception("could not parse a response from provider %s", self._endpoint.name)
            malformed = MalformedError(f"{self._endpoint.name}: could not parse the response")
            return self._failed(malformed, _now() - started, calls)
        # An unreadable part counts in the error rate. It never pauses the provider by itself:
        # one malformed transaction would pause every provider that has it.
        is_malformed = isinstance(result, list) and any(
            isinstance(part, MalformedError) for part in result
        )
        self._endpoint.health.record_response(
            _now() - started, "malformed" if is_malformed else None
        )
        outcome = "malformed" if is_malformed else "ok"
        events.request(self._endpoint.name, outcome, _now() - started, calls)
        return result

    def _failed(self, error: SourceError, seconds: float, calls: int) -> SourceError:
        kind = error_class(error)
        events.request(self._endpoint.name, kind, seconds, calls)
        self._endpoint.last_error = str(error)
        self._pause_after(error, self._endpoint.health.record_failure(kind, _now()))
        return error

    def _pause_after(self, error: SourceError, pause: float | None) -> None:
        """Log a pause that the health of the provider has caused, and emit its event."""
        if pause is None:
            return
        name = self._endpoint.name
        logger.warning("provider %s is paused for %.0f s: %s", name, pause, error)
        events.paused(name, error_class(error), pause)

    def _record_results(self, requests: Sequence[Request], results: list[Any]) -> None:
        """Record what single results say about the provider: errors, blocks and heads."""
        for request, result in zip(requests, results, strict=True):
            if isinstance(result, SourceError):
                if isinstance(result, MalformedError) and is_head_request(request):
                    self._endpoint.unreadable_head_at = _now()
                self._endpoint.health.record_error(error_class(result))
                self._endpoint.last_error = str(result)
                continue
            part = block_part(request)
            if result is not None and part is not None:
                self._endpoint.health.record_readable_block(part)
            if is_head_request(request):
                self._record_head(result)

    def _record_head(self, result: Any) -> None:
        try:
            head = head_of(result)
        except MalformedError:
            return  # the caller gets the raw result, and handles it
        if isinstance(head, int):
            self._state.record_head(self._endpoint, head, _now())
        elif head is not None:
            self._state.record_link(self._endpoint, head, _now())


def _now() -> float:
    return asyncio.get_running_loop().time()
