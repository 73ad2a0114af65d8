"""Handle the body of a request: apply the active faults, call the methods, return a response."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from txtrack_devnode.chain import Chain
from txtrack_devnode.ethereum import EthereumMethods
from txtrack_devnode.faults import FaultInjector
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
from txtrack_devnode.faults.options import is_control_method
from txtrack_devnode.rpc import INTERNAL_ERROR, Dispatcher, RpcError, failure, parse_body
from txtrack_devnode.view import ChainView

LIMIT_EXCEEDED = -32005  # EIP-1474
JSON, HTML = "application/json", "text/html"
_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>"


@dataclass(frozen=True, slots=True)
class Response:
    """A response over HTTP or WebSocket.

    Attributes:
        body: ``None`` if the request had only notifications.
        status: HTTP status; not used over WebSocket.
        share: Share of the body that is sent before the connection closes; ``None`` for all.
    """

    body: bytes | None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = JSON
    share: float | None = None


class RequestHandler:
    """Handles requests over HTTP and WebSocket alike.

    Args:
        chain: The chain that the node is on.
        ethereum: The methods that read the chain.
        faults: The active faults.
        die: Called with the seconds for which the node closes its port.
    """

    def __init__(
        self,
        chain: Chain,
        ethereum: EthereumMethods,
        faults: FaultInjector,
        die: Callable[[float], None],
    ) -> None:
        self._chain = chain
        self._ethereum = ethereum
        self._faults = faults
        self._die = die

    async def handle(self, body: bytes, dispatcher: Dispatcher) -> Response | None:
        """Handle a request or a batch; ``None`` closes the connection without a response."""
        try:
            request = parse_body(body)
        except RpcError as error:
            return Response(failure(None, error.code, error.message))
        calls = _calls(request)
        # No fault applies to the control methods: otherwise a fault could not be cleared.
        if any(is_control_method(call.method) for call in calls):
            return Response(self._dispatch(request, dispatcher, self._chain))
        return await self._handle_with_faults(request, calls, dispatcher)

    def call(self, method: str, params: list[object], run: Callable[[], object]) -> object:
        """Make one call under the active faults."""
        call, state = Call(method, params), self._ethereum.state
        self._ethereum.state = self._faults.split(call, state)
        try:
            return self._faults.call(call, run, self._ethereum.state)
        finally:
            self._ethereum.state = state

    async def _handle_with_faults(
        self, request: object, calls: list[Call], dispatcher: Dispatcher
    ) -> Response | None:
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
                    return _fault_response(fault, request)
        # Read after the delays: the response shows the state at its own time, not at the request's.
        state = self._faults.state(calls)
        if isinstance(request, list) and (refused := self._faults.batch(calls)):
            error = refused.error_for(len(request))
            body = failure(None, error.code, error.message)
            return Response(body, refused.http_status, share=share)
        response = self._dispatch(self._replaced(request), dispatcher, state)
        return Response(response, share=share)

    def _dispatch(
        self, request: object, dispatcher: Dispatcher, state: Chain | ChainView
    ) -> bytes | None:
        # Dispatching does not await, so no other request can see this state.
        self._ethereum.state = state
        return dispatcher.answer(request)

    def _replaced(self, request: object) -> object:
        if not isinstance(request, list):
            return self._replacements(request)[0]
        return [item for single in request for item in self._replacements(single)]

    def _replacements(self, request: object) -> list[object]:
        calls = _calls(request)
        if not calls or not isinstance(request, dict) or "id" not in request:
            return [request]
        return [*self._faults.requests(calls[0], request)]


def _calls(request: object) -> list[Call]:
    """Return the valid calls of a request or a batch."""
    items = request if isinstance(request, list) else [request]
    return [
        Call(item["method"], params if isinstance(params := item.get("params"), list) else [])
        for item in items
        if isinstance(item, dict) and isinstance(item.get("method"), str)
    ]


def _fault_response(fault: ExchangeFault, request: object) -> Response:
    """Return the response that a fault sends in place of the right one."""
    match fault:
        case RateLimit():
            body = _failures(request, LIMIT_EXCEEDED, "rate limit exceeded")
            return Response(body, 429, fault.headers)
        case ServerFailure():
            body = _failures(request, INTERNAL_ERROR, "service unavailable")
            return Response(body, fault.status)
        case NotJson():
            return Response(_PAGE, content_type=HTML)
    raise TypeError(f"unknown fault {fault!r}")


def _failures(request: object, code: int, message: str) -> bytes:
    if isinstance(request, list):
        return b"[" + b",".join(_failures(item, code, message) for item in request) + b"]"
    return failure(request.get("id") if isinstance(request, dict) else None, code, message)
