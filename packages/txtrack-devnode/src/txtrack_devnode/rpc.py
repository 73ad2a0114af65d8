"""JSON-RPC 2.0: parse a request, call its method, and write the response."""

import inspect
import logging
from collections import Counter
from collections.abc import Callable, Mapping

import orjson

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
SERVER_ERROR = -32000
RESPONSE_TOO_LARGE = -32003

MAX_BATCH = 1000
MAX_BATCH_BYTES = 25 * 2**20

Method = Callable[..., object]
CallWrapper = Callable[[str, list[object], Callable[[], object]], object]
"""Called with a method's name, its parameters and a function that calls it; returns the result."""

logger: logging.Logger = logging.getLogger(__name__)


class RpcError(Exception):
    """An error response to a method call."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


def parse_body(body: bytes) -> object:
    """Parse the body of a request.

    Raises:
        RpcError: The body is not JSON.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise RpcError(PARSE_ERROR, f"parse error: {error}") from None


class Dispatcher:
    """Calls methods by name and counts the calls.

    Args:
        methods: Functions by method name; ``params`` are passed by position.
        expected_errors: Exceptions of methods that become a ``SERVER_ERROR`` response.
        wrapper: Function that calls each method, for example to change its result.
    """

    def __init__(
        self,
        methods: Mapping[str, Method],
        expected_errors: tuple[type[Exception], ...] = (),
        wrapper: CallWrapper | None = None,
    ) -> None:
        self.counters: Counter[str] = Counter()
        self._methods = {name: (method, _Arity(method)) for name, method in methods.items()}
        self._expected_errors = expected_errors
        self._wrapper = wrapper

    def extended(self, methods: Mapping[str, Method]) -> "Dispatcher":
        """Return a dispatcher with more methods that shares this one's counters."""
        other = Dispatcher(methods, self._expected_errors, self._wrapper)
        other._methods = self._methods | other._methods
        other.counters = self.counters
        return other

    def answer(self, request: object) -> bytes | None:
        """Handle a request or a batch; return ``None`` if it has only notifications."""
        return self._batch(request) if isinstance(request, list) else self._single(request)

    def _batch(self, requests: list[object]) -> bytes | None:
        if not requests:
            return failure(None, INVALID_REQUEST, "empty batch")
        if len(requests) > MAX_BATCH:
            message = f"batch too large: at most {MAX_BATCH} requests, got {len(requests)}"
            return failure(None, INVALID_REQUEST, message)
        answers: list[bytes] = []
        size = 0
        for request in requests:
            answer = self._single(request) if size < MAX_BATCH_BYTES else _too_large(request)
            if answer is not None:
                answers.append(answer)
                size += len(answer)
        return b"[" + b",".join(answers) + b"]" if answers else None

    def _single(self, request: object) -> bytes | None:
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            message = "a request must be an object with jsonrpc, id, method and params"
            return failure(None, INVALID_REQUEST, message)
        answer = self._call(request.get("id"), request["method"], request.get("params", []))
        return answer if "id" in request else None

    def _call(self, request_id: object, method: str, params: object) -> bytes:
        try:
            return _success(request_id, self._result(method, params))
        except RpcError as error:
            return failure(request_id, error.code, error.message, error.data)
        except self._expected_errors as error:
            return failure(request_id, SERVER_ERROR, str(error))
        except Exception as error:  # a bug in one method must not stop the node
            logger.exception("%s failed", method)
            return failure(request_id, INTERNAL_ERROR, f"internal error: {error!r}")

    def _result(self, name: str, params: object) -> object:
        if name not in self._methods:
            message = f"the method {name[:80]} does not exist/is not available"
            raise RpcError(METHOD_NOT_FOUND, message)
        self.counters[name] += 1
        if not isinstance(params, list):
            raise RpcError(INVALID_PARAMS, "params must be an array")
        method, arity = self._methods[name]
        arity.check(len(params))
        if self._wrapper is None:
            return method(*params)
        return self._wrapper(name, params, lambda: method(*params))


class _Arity:
    """Number of parameters that a method takes, computed once."""

    def __init__(self, method: Method) -> None:
        parameters = [
            parameter
            for parameter in inspect.signature(method).parameters.values()
            if parameter.kind is not inspect.Parameter.KEYWORD_ONLY
        ]
        self._names = [parameter.name for parameter in parameters]
        self._needed = sum(parameter.default is parameter.empty for parameter in parameters)

    def check(self, given: int) -> None:
        if given < self._needed:
            message = f"missing value for required argument {given} ({self._names[given]})"
            raise RpcError(INVALID_PARAMS, message)
        if given > len(self._names):
            message = f"too many arguments, want at most {len(self._names)}, got {given}"
            raise RpcError(INVALID_PARAMS, message)


def _too_large(request: object) -> bytes:
    request_id = request.get("id") if isinstance(request, dict) else None
    return failure(request_id, RESPONSE_TOO_LARGE, "response too large")


def _success(request_id: object, result: object) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "id": request_id, "result": result})


def failure(request_id: object, code: int, message: str, data: object = None) -> bytes:
    """Write an error response."""
    error = {"code": code, "message": message} | ({} if data is None else {"data": data})
    return orjson.dumps({"jsonrpc": "2.0", "id": request_id, "error": error})
