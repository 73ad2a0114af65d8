"""From the body of a request to what goes back, through the faults that are switched on."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from txtrack_devnode.chain import Chain
from txtrack_devnode.ethereum import EthereumMethods
from txtrack_devnode.faults import Faults
from txtrack_devnode.faults.exchanges import (
    CutOff,
    Death,
    ExchangeFault,
    Hang,
    NotJson,
    RateLimit,
    ServerFailure,
    SlowAnswer,
)
from txtrack_devnode.faults.kind import Call
from txtrack_devnode.faults.options import exempt
from txtrack_devnode.rpc import INTERNAL_ERROR, Dispatcher, RpcError, failure, parse
from txtrack_devnode.view import ChainView

LIMIT_EXCEEDED = -32005  # of EIP-1474
JSON, HTML = "application/json", "text/html"
_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>"


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back to the client, over HTTP or WebSocket.

    Attributes:
        body: ``None`` if only notifications came.
        status: HTTP status; WebSocket has no such thing.
        share: How much of the body is sent before the connection closes; ``None`` is all of it.
    """

    body: bytes | None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = JSON
    share: float | None = None


class Exchange:
    """Answers requests, whichever way they come.

    Args:
        chain: What really is.
        ethereum: The methods that look at the chain.
        faults: What goes wrong.
        die: Called with the seconds that the node is to be dead.
    """

    def __init__(
        self,
        chain: Chain,
        ethereum: EthereumMethods,
        faults: Faults,
        die: Callable[[float], None],
    ) -> None:
        self._chain = chain
        self._ethereum = ethereum
        self._faults = faults
        self._die = die

    async def answer(self, body: bytes, dispatcher: Dispatcher) -> Reply | None:
        """Answer a request or a batch; ``None`` closes the connection without an answer."""
        try:
            request = parse(body)
        except RpcError as error:
            return Reply(failure(None, error.code, error.message))
        calls = _calls(request)
        # What controls the node gets through whatever is broken, or nothing could be mended.
        if any(exempt(call.method) for call in calls):
            return Reply(self._dispatched(request, dispatcher, self._chain))
        return await self._through_faults(request, calls, dispatcher)

    def around(self, method: str, params: list[object], run: Callable[[], object]) -> object:
        """Make one call as the faults have it."""
        asked, state = Call(method, params), self._ethereum.state
        self._ethereum.state = self._faults.split(asked, state)
        try:
            return self._faults.call(asked, run, self._ethereum.state)
        finally:
            self._ethereum.state = state

    async def _through_faults(
        self, request: object, calls: list[Call], dispatcher: Dispatcher
    ) -> Reply | None:
        share: float | None = None
        number = self._faults.begin()
        for fault, cleared in self._faults.exchange(calls):
            match fault:
                case Hang():
                    await cleared.wait()
                    self._faults.resume(number)
                case SlowAnswer():
                    await asyncio.sleep(fault.seconds)
                    self._faults.resume(number)
                case CutOff():
                    share = fault.share
                case Death():
                    self._die(fault.seconds)
                    return None
                case _:
                    return _in_place(fault, request)
        # Taken only now: of the moment of the answer, not of that of the request.
        state = self._faults.state(calls)
        if isinstance(request, list) and (refused := self._faults.batch(calls)):
            error = refused.refusal(len(request))
            body = failure(None, error.code, error.message)
            return Reply(body, refused.http_status, share=share)
        answer = self._dispatched(self._tampered(request), dispatcher, state)
        return Reply(answer, share=share)

    def _dispatched(
        self, request: object, dispatcher: Dispatcher, state: Chain | ChainView
    ) -> bytes | None:
        # Nothing waits while a request is answered, so that no other one meets this state.
        self._ethereum.state = state
        return dispatcher.answer(request)

    def _tampered(self, request: object) -> object:
        if not isinstance(request, list):
            return self._instead(request)[0]
        return [item for asked in request for item in self._instead(asked)]

    def _instead(self, request: object) -> list[object]:
        calls = _calls(request)
        if not calls or not isinstance(request, dict) or "id" not in request:
            return [request]
        return [*self._faults.requests(calls[0], request)]


def _calls(request: object) -> list[Call]:
    """List the calls of a request or a batch, as far as it has the form."""
    items = request if isinstance(request, list) else [request]
    return [
        Call(item["method"], params if isinstance(params := item.get("params"), list) else [])
        for item in items
        if isinstance(item, dict) and isinstance(item.get("method"), str)
    ]


def _in_place(fault: ExchangeFault, request: object) -> Reply:
    """Write what comes in place of the answer."""
    match fault:
        case RateLimit():
            body = _refused(request, LIMIT_EXCEEDED, "rate limit exceeded")
            return Reply(body, 429, fault.headers)
        case ServerFailure():
            body = _refused(request, INTERNAL_ERROR, "service unavailable")
            return Reply(body, fault.status)
        case NotJson():
            return Reply(_PAGE, content_type=HTML)
    raise TypeError(f"nothing is known of {fault!r}")


def _refused(request: object, code: int, message: str) -> bytes:
    if isinstance(request, list):
        return b"[" + b",".join(_refused(item, code, message) for item in request) + b"]"
    return failure(request.get("id") if isinstance(request, dict) else None, code, message)
