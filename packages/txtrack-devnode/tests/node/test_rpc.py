"""JSON-RPC 2.0 by itself: requests, batches, notifications, errors."""

import orjson
import pytest

from txtrack_devnode.rpc import (
    MAX_BATCH,
    MAX_BATCH_BYTES,
    Dispatcher,
    RpcError,
    failure,
    parse_body,
)


class RefusedError(Exception):
    pass


def refuse() -> None:
    raise RefusedError("not today")


def fail() -> None:
    raise RpcError(3, "reverted", "0x08c379a0")


def crash() -> None:
    raise ZeroDivisionError("oops")


def add(left: int, right: int = 1) -> int:
    return left + right


@pytest.fixture
def dispatcher() -> Dispatcher:
    return Dispatcher({"add": add, "refuse": refuse, "fail": fail, "crash": crash}, (RefusedError,))


def answer(dispatcher: Dispatcher, request: object) -> object:
    body = request if isinstance(request, bytes) else orjson.dumps(request)
    try:
        reply = dispatcher.answer(parse_body(body))
    except RpcError as error:
        reply = failure(None, error.code, error.message)
    return None if reply is None else orjson.loads(reply)


def request(method: str, *params: object, **more: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params} | more


def test_result_carries_the_id_of_the_request(dispatcher: Dispatcher) -> None:
    assert answer(dispatcher, request("add", 2, 3, id="a")) == {
        "jsonrpc": "2.0",
        "id": "a",
        "result": 5,
    }


def test_params_are_optional(dispatcher: Dispatcher) -> None:
    reply = answer(dispatcher, {"jsonrpc": "2.0", "id": 1, "method": "add"})

    assert reply["error"]["message"] == "missing value for required argument 0 (left)"  # type: ignore[index]


def test_batch_is_answered_in_order(dispatcher: Dispatcher) -> None:
    replies = answer(dispatcher, [request("add", 1, id=1), request("nope", id=2)])

    assert [reply["id"] for reply in replies] == [1, 2]  # type: ignore[attr-defined]
    assert "result" in replies[0]  # type: ignore[index]
    assert "error" in replies[1]  # type: ignore[index]


def test_notifications_get_no_response(dispatcher: Dispatcher) -> None:
    notification = {"jsonrpc": "2.0", "method": "add", "params": [1]}

    assert answer(dispatcher, notification) is None
    assert answer(dispatcher, [notification, notification]) is None
    assert answer(dispatcher, [notification, request("add", 1)])[0]["result"] == 2  # type: ignore[index]


@pytest.mark.parametrize(
    ("asked", "code", "words"),
    [
        (b"{", -32700, "parse error"),
        (b"\xff", -32700, "parse error"),
        ([], -32600, "empty batch"),
        (3, -32600, "a request must be an object"),
        ({"id": 1}, -32600, "a request must be an object"),
        ({"id": 1, "method": 3}, -32600, "a request must be an object"),
        ([request("add", 1)] * (MAX_BATCH + 1), -32600, "batch too large: at most 1000"),
        (request("nope"), -32601, "the method nope does not exist/is not available"),
        (request("add"), -32602, "missing value for required argument 0"),
        (request("add", 1, 2, 3), -32602, "too many arguments, want at most 2, got 3"),
        (request("add", params={"left": 1}), -32602, "params must be an array"),
        (request("refuse"), -32000, "not today"),
        (request("fail"), 3, "reverted"),
        (request("crash"), -32603, "internal error: ZeroDivisionError"),
    ],
)
def test_errors_have_the_codes_of_the_specification(
    dispatcher: Dispatcher, asked: object, code: int, words: str
) -> None:
    error = answer(dispatcher, asked)["error"]  # type: ignore[index]

    assert error["code"] == code
    assert words in error["message"]


def test_error_can_have_data(dispatcher: Dispatcher) -> None:
    assert answer(dispatcher, request("fail"))["error"]["data"] == "0x08c379a0"  # type: ignore[index]


def test_batch_response_is_limited_in_size() -> None:
    large = Dispatcher({"large": lambda: "x" * (MAX_BATCH_BYTES // 2)})

    replies = answer(large, [request("large", id=number) for number in range(4)])

    assert [reply["id"] for reply in replies] == [0, 1, 2, 3]  # type: ignore[attr-defined]
    codes = [reply.get("error", {}).get("code") for reply in replies]  # type: ignore[attr-defined]
    assert codes == [None, None, -32003, -32003]
    assert large.counters == {"large": 2}


def test_deeply_nested_request_is_an_error_not_a_crash(dispatcher: Dispatcher) -> None:
    reply = answer(dispatcher, b"[" * 100_000)

    assert reply["error"]["code"] == -32700  # type: ignore[index]


def test_every_call_is_counted_by_method(dispatcher: Dispatcher) -> None:
    answer(dispatcher, [request("add", 1), request("add", 2), request("refuse"), request("nope")])

    assert dispatcher.counters == {"add": 2, "refuse": 1}
