"""Batches: many calls in as few requests as the node accepts."""

import asyncio
from typing import Any

import pytest
from aiohttp import web

from transaction_tracker.sources import (
    ApplicationError,
    MalformedError,
    NotYetError,
    RateLimitedError,
    ServerError,
    TransportError,
)
from transaction_tracker.sources.ethereum import RpcClient, SecretUrl
from transaction_tracker.sources.ethereum.rpc import Request
from transaction_tracker.sources.rate_limiter import RateLimiter

from ..clock import Clock  # noqa: TID252 - for all tests of the package
from .support import ScriptedNode, refusal, result


def calls(count: int) -> list[Request]:
    return [Request("eth_call", (number,)) for number in range(count)]


async def test_responses_of_a_batch_can_be_in_any_order(
    client: RpcClient, scripted: ScriptedNode
) -> None:
    scripted.answer = lambda requests: [
        {"jsonrpc": "2.0", "id": call["id"], "result": call["params"][0]} for call in requests[::-1]
    ]

    assert await client.batch(calls(5)) == [0, 1, 2, 3, 4]
    assert client.requests == 1


async def test_failed_call_does_not_affect_other_calls_of_its_batch(
    client: RpcClient, scripted: ScriptedNode
) -> None:
    scripted.answer = lambda requests: [
        result(requests[0], "fine"),
        refusal(requests[1], -32000, "header not found"),
        {"jsonrpc": "2.0", "id": 2},
    ]

    fine, missing, empty = await client.batch(calls(3))

    assert fine == "fine"
    assert isinstance(missing, NotYetError)
    assert isinstance(empty, MalformedError)


async def test_long_batch_takes_several_requests(
    scripted: ScriptedNode,
) -> None:
    client = RpcClient(SecretUrl(scripted.url), batch_size=3)
    scripted.answer = lambda request: result(request, True)

    assert await client.batch(calls(8)) == [True] * 8
    assert [len(request) for request in scripted.received] == [3, 3, 2]
    await client.close()


async def test_a_node_that_refuses_batches_gets_shorter_ones(
    client: RpcClient, scripted: ScriptedNode
) -> None:
    def answer(request: Any) -> Any:
        if isinstance(request, list):
            return refusal(request[0] | {"id": None}, -32600, "batches are not supported")
        return result(request, request["params"][0])

    scripted.answer = answer

    assert await client.batch(calls(4)) == [0, 1, 2, 3]
    assert await client.batch(calls(2)) == [0, 1]
    assert [len(request) for request in scripted.received if isinstance(request, list)] == [4, 2]


async def test_rate_limit_of_a_whole_batch_is_not_retried_in_parts(
    client: RpcClient, scripted: ScriptedNode
) -> None:
    scripted.answer = lambda requests: refusal(requests[0], -32005, "limit exceeded")

    with pytest.raises(RateLimitedError):
        await client.batch(calls(4))

    assert client.requests == 1


@pytest.mark.parametrize(
    "refuse",
    [
        lambda request: web.Response(status=413),
        lambda request: web.Response(status=400),
        lambda request: b'"' + b"x" * 20_000 + b'"',
        lambda request: refusal(request[0] | {"id": None}, -32600, "batch too large"),
    ],
    ids=["413", "400", "too long", "refused"],
)
async def test_refused_batch_is_halved_until_it_is_accepted(
    client: RpcClient, scripted: ScriptedNode, refuse: Any
) -> None:
    scripted.answer = lambda request: (
        refuse(request)
        if isinstance(request, list) and len(request) > 2
        else [result(call, call["params"][0]) for call in request]
    )

    assert await client.batch(calls(8)) == list(range(8))
    assert [len(request) for request in scripted.received] == [8, 4, 2, 2, 2, 2]


def only_singles(request: Any, refuse: Any) -> Any:
    """Return the parameter of a single call, and refuse each batch."""
    return refuse(request) if isinstance(request, list) else result(request, request["params"][0])


def refused_whole(code: int, message: str, data: object = None) -> Any:
    error = {"code": code, "message": message} | ({} if data is None else {"data": data})
    return lambda _: {"jsonrpc": "2.0", "id": None, "error": error}


REFUSALS = {
    "jsonrpsee": refused_whole(-32005, "Batched requests are not supported by this server"),
    "jsonrpsee too long": refused_whole(
        -32010, "The batch request was too large", "Exceeded max limit of 1"
    ),
    "jsonrpsee answer": refused_whole(-32011, "The batch response was too large"),
    "Besu": refused_whole(-32005, "Number of requests exceeds max batch size"),
    "Nethermind": refused_whole(-32005, "Batch size limit exceeded"),
    "invalid request": refused_whole(-32600, "Invalid Request"),
    "internal error": refused_whole(-32603, "Internal error"),
    "no code": lambda _: {"jsonrpc": "2.0", "error": "batches are not possible"},
    "result": lambda _: {"jsonrpc": "2.0", "id": 1, "result": None},
    "geth": lambda requests: [refusal(requests[0], -32600, "batch too large")],
    "Hedera": lambda requests: refusal(requests, -32203, "Batch request amount 8 exceeds max 1"),
    "Lotus": lambda _: web.json_response(
        {"error": {"code": -32700, "message": "cannot unmarshal array"}}, status=500
    ),
    "HTTP 400": lambda _: web.Response(status=400),
    "HTTP 403": lambda _: web.Response(status=403),
    "HTTP 405": lambda _: web.Response(status=405),
    "HTTP 413": lambda _: web.Response(status=413),
    "HTTP 422": lambda _: web.Response(status=422),
    "HTTP 500": lambda _: web.Response(status=500, body=b"<html>TypeError</html>"),
}


@pytest.mark.parametrize("refuse", REFUSALS.values(), ids=REFUSALS)
async def test_node_that_refuses_batches_gets_single_calls(
    client: RpcClient, scripted: ScriptedNode, refuse: Any
) -> None:
    scripted.answer = lambda request: only_singles(request, refuse)

    assert await client.batch(calls(8)) == list(range(8))
    assert client.calls_per_request == 1

    for _ in range(5):
        await client.batch(calls(20))
    batches = [len(request) for request in scripted.received if isinstance(request, list)]
    assert batches == [8, 4, 2]


async def test_node_that_never_accepted_a_batch_is_rarely_sent_another(
    client: RpcClient, scripted: ScriptedNode
) -> None:
    scripted.answer = lambda request: only_singles(request, REFUSALS["jsonrpsee"])

    await client.batch(calls(4_000))

    batches = [request for request in scripted.received if isinstance(request, list)]
    assert len(batches) <= 6 + 2  # from 100 calls down to 1, and after 1,000 and 3,000 calls


@pytest.mark.parametrize("status", [403, 405, 500])
async def test_status_that_also_fails_single_calls_is_an_error_of_the_node(
    client: RpcClient, scripted: ScriptedNode, status: int
) -> None:
    scripted.answer = lambda _: web.Response(status=status)
    with pytest.raises(ServerError, match=f"HTTP {status}"):
        await client.batch(calls(8))

    scripted.answer = lambda request: [result(call, call["params"][0]) for call in request]

    assert client.calls_per_request == 100
    assert await client.batch(calls(8)) == list(range(8))


async def test_batches_stay_refused_when_single_calls_fail_later_in_the_same_way(
    client: RpcClient, scripted: ScriptedNode
) -> None:
    scripted.answer = lambda request: only_singles(request, REFUSALS["HTTP 403"])
    await client.batch(calls(8))
    scripted.answer = lambda _: web.Response(status=403)

    with pytest.raises(ServerError):
        await client.batch(calls(8))

    assert client.calls_per_request == 1


@pytest.mark.parametrize("status", [401, 404, 502, 503, 504])
async def test_status_that_is_not_about_the_batch_is_not_retried(
    client: RpcClient, scripted: ScriptedNode, status: int
) -> None:
    scripted.answer = lambda _: web.Response(status=status)

    with pytest.raises(ServerError):
        await client.batch(calls(8))

    assert client.requests == 1


async def test_failing_node_that_accepted_batches_is_not_retried(
    client: RpcClient, scripted: ScriptedNode
) -> None:
    scripted.answer = lambda request: result(request, True)
    await client.batch(calls(8))
    scripted.answer = lambda _: web.Response(status=500)

    with pytest.raises(ServerError):
        await client.batch(calls(8))

    assert client.requests == 2


async def test_a_call_that_is_not_allowed_in_a_batch_is_made_alone(
    client: RpcClient, scripted: ScriptedNode
) -> None:
    message = "Method eth_call is not permitted as part of batch requests"

    def answer(request: Any) -> Any:
        if not isinstance(request, list):
            return result(request, "alone")
        return [result(request[0], "fine"), refusal(request[1], -32007, message)]

    scripted.answer = answer

    assert await client.batch(calls(2)) == ["fine", "alone"]
    assert client.calls_per_request == 100


@pytest.mark.parametrize(
    "error",
    [
        {"code": -32005, "message": "daily request count exceeded, request rate limited"},
        {"code": -32005, "message": "limit exceeded", "data": {"rate": {"backoff_seconds": 30}}},
        {"code": -32005, "message": "batch rate", "data": {"rate": {"backoff_seconds": 30}}},
        {"code": 429, "message": "too many requests in the batch"},
        {"code": -32000, "message": "Too many requests, reason: call rate limit exhausted"},
    ],
)
async def test_a_rate_limit_is_not_taken_for_a_refused_batch(
    client: RpcClient, scripted: ScriptedNode, error: Any
) -> None:
    scripted.answer = lambda _: {"jsonrpc": "2.0", "id": None, "error": error}

    with pytest.raises(RateLimitedError):
        await client.batch(calls(4))

    assert client.requests == 1


async def test_batch_with_a_too_long_response_continues_after_the_last_result(
    client: RpcClient, scripted: ScriptedNode
) -> None:
    def answer(requests: Any) -> Any:
        fine = [result(call, call["params"][0]) for call in requests[:3]]
        return fine + [refusal(call, -32003, "response too large") for call in requests[3:]]

    scripted.answer = answer

    assert await client.batch(calls(8)) == list(range(8))
    assert [len(request) for request in scripted.received][:2] == [8, 4]


async def test_too_long_single_result_is_an_error_of_its_call(
    client: RpcClient, scripted: ScriptedNode
) -> None:
    scripted.answer = lambda requests: refusal(requests, -32003, "response too large")

    first, second = await client.batch(calls(2))

    assert isinstance(first, ApplicationError)
    assert isinstance(second, ApplicationError)
    assert client.requests == 1


async def test_a_batch_that_is_late_makes_the_next_one_shorter(
    scripted: ScriptedNode, clock: Clock
) -> None:
    asked = asyncio.Event()

    class Hanging(web.StreamResponse):
        async def prepare(self, request: web.BaseRequest) -> Any:
            asked.set()
            await asyncio.Event().wait()

    client = RpcClient(SecretUrl(scripted.url), deadline=100.0, batch_size=8)
    scripted.answer = lambda _: Hanging()
    asking = asyncio.create_task(client.batch(calls(8)))
    await asked.wait()
    await clock.advance_awake(asking.done)
    with pytest.raises(TransportError):
        await asking
    scripted.answer = lambda request: result(request, True)

    assert await client.batch(calls(8)) == [True] * 8
    assert [len(request) for request in scripted.received] == [8, 4, 4]
    await client.close()


async def test_batch_grows_back_to_the_configured_size(scripted: ScriptedNode) -> None:
    client = RpcClient(SecretUrl(scripted.url), batch_size=8)
    scripted.answer = lambda _: web.Response(status=413)
    with pytest.raises(MalformedError):
        await client.batch(calls(8))
    scripted.answer = lambda request: result(request, True)

    await client.batch(calls(4_000))

    sizes = [len(request) if isinstance(request, list) else 1 for request in scripted.received]
    assert sizes[4:6] == [1, 1]
    assert max(sizes[4:]) == 8
    await client.close()


async def test_a_rate_limit_of_one_call_is_about_that_call(
    client: RpcClient, scripted: ScriptedNode
) -> None:
    scripted.answer = lambda requests: [
        result(requests[0], 1),
        refusal(requests[1], 429, "slow down"),
    ]
    await client.batch(calls(2))
    scripted.answer = lambda request: result(request, 1)

    assert await client.call("eth_chainId") == 1


async def test_rate_limit_of_a_call_about_a_transaction_pauses_no_other_calls(
    client: RpcClient, scripted: ScriptedNode
) -> None:
    scripted.answer = lambda request: refusal(request, -32005, "rate limit exceeded")
    with pytest.raises(RateLimitedError):
        await client.call("eth_getTransactionReceipt", "0x1")
    scripted.answer = lambda request: result(request, 1)

    assert await client.call("eth_chainId") == 1


async def test_rate_limit_of_all_calls_of_a_batch_pauses_requests(
    client: RpcClient, scripted: ScriptedNode
) -> None:
    scripted.answer = lambda requests: [refusal(call, 429, "slow down") for call in requests]
    await client.batch(calls(2))

    with pytest.raises(RateLimitedError, match="rate limited; retrying"):
        await client.call("eth_chainId")


async def test_a_rate_is_kept_and_a_batch_counts_its_calls(scripted: ScriptedNode) -> None:
    limiter = RateLimiter(requests_per_second=0.01, burst=5)
    client = RpcClient(SecretUrl(scripted.url), deadline=30.0, limiter=limiter)
    scripted.answer = lambda request: result(request, True)

    await client.batch(calls(5))
    with pytest.raises(RateLimitedError, match=r"limit of 0.01 requests per second reached"):
        await client.batch(calls(5))

    assert client.requests == 1
    await client.close()


async def test_batches_are_at_most_as_long_as_the_burst(scripted: ScriptedNode) -> None:
    client = RpcClient(
        SecretUrl(scripted.url), limiter=RateLimiter(requests_per_second=200, burst=3)
    )
    scripted.answer = lambda request: result(request, True)

    assert await client.batch(calls(8)) == [True] * 8

    assert [len(request) for request in scripted.received] == [3, 3, 2]
    await client.close()
