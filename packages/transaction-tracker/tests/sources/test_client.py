"""The JSON-RPC client against a node that answers badly."""

import asyncio
import socket
import traceback
from typing import Any

import pytest
from aiohttp import web

from transaction_tracker.sources import (
    ApplicationError,
    MalformedError,
    NotYetError,
    RateLimitedError,
    ServerError,
    SourceError,
    TransportError,
)
from transaction_tracker.sources.ethereum import RpcClient, SecretUrl
from transaction_tracker.sources.ethereum.client import Request

from .support import SECRET, ScriptedNode, refusal, result


def calls(count: int) -> list[Request]:
    return [Request("eth_call", (number,)) for number in range(count)]


async def test_a_call_gives_its_result(client: RpcClient, scripted: ScriptedNode) -> None:
    scripted.answer = lambda request: result(request, "0x1")

    assert await client.call("eth_chainId") == "0x1"
    assert scripted.received == [{"jsonrpc": "2.0", "id": 0, "method": "eth_chainId", "params": []}]


async def test_answers_of_a_batch_may_come_in_any_order(
    client: RpcClient, scripted: ScriptedNode
) -> None:
    scripted.answer = lambda requests: [
        {"jsonrpc": "2.0", "id": one["id"], "result": one["params"][0]} for one in requests[::-1]
    ]

    assert await client.batch(calls(5)) == [0, 1, 2, 3, 4]
    assert client.requests == 1


async def test_one_bad_call_does_not_spoil_its_batch(
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


async def test_a_long_batch_goes_in_several_requests(
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


async def test_a_rate_limit_of_a_whole_batch_is_no_reason_to_ask_more_often(
    client: RpcClient, scripted: ScriptedNode
) -> None:
    scripted.answer = lambda requests: refusal(requests[0], -32005, "limit exceeded")

    with pytest.raises(RateLimitedError):
        await client.batch(calls(4))

    assert client.requests == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"", MalformedError),
        (b"not json", MalformedError),
        (b'"text"', MalformedError),
        (b"[]", MalformedError),
        ({"jsonrpc": "2.0", "id": 0}, MalformedError),
        ({"jsonrpc": "2.0", "id": 7, "result": 1}, MalformedError),
        (b"[" * 500, MalformedError),
        (b'"' + b"x" * 20_000 + b'"', MalformedError),
        ({"jsonrpc": "2.0", "id": 0, "error": "odd"}, ApplicationError),
        ({"jsonrpc": "2.0", "id": None, "error": {"code": -32700}}, ApplicationError),
    ],
)
async def test_an_answer_that_is_none_is_an_error_of_its_kind(
    client: RpcClient, scripted: ScriptedNode, answer: Any, kind: type[SourceError]
) -> None:
    scripted.answer = lambda _: answer

    with pytest.raises(kind):
        await client.call("eth_chainId")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, ApplicationError),
        (401, ApplicationError),
        (429, RateLimitedError),
        (502, ServerError),
    ],
)
async def test_a_status_that_is_not_200_is_an_error_of_its_kind(
    client: RpcClient, scripted: ScriptedNode, status: int, kind: type[SourceError]
) -> None:
    elsewhere = {"Location": "http://elsewhere.invalid/"} if status == 302 else {}
    scripted.answer = lambda _: web.Response(status=status, headers=elsewhere)

    with pytest.raises(kind, match=f"HTTP {status}"):
        await client.call("eth_chainId")

    assert len(scripted.received) == 1


async def test_retry_after_is_heard(client: RpcClient, scripted: ScriptedNode) -> None:
    scripted.answer = lambda _: web.Response(status=429, headers={"Retry-After": "17"})

    with pytest.raises(RateLimitedError) as caught:
        await client.call("eth_chainId")

    assert caught.value.retry_after == 17.0


async def test_an_answer_that_is_cut_off_is_no_answer(
    client: RpcClient, scripted: ScriptedNode
) -> None:
    class CutOff(web.StreamResponse):
        async def write_eof(self, data: bytes = b"") -> None:
            assert self._req is not None
            assert self._req.transport is not None
            self._req.transport.close()

    scripted.answer = lambda _: CutOff(headers={"Content-Length": "500"})

    with pytest.raises(TransportError):
        await client.call("eth_chainId")


async def test_a_node_that_never_answers_is_left_at_the_deadline() -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    client = RpcClient(SecretUrl(f"http://127.0.0.1:{silent.getsockname()[1]}"), deadline=0.05)

    with pytest.raises(TransportError, match=r"no answer within 0.05 s"):
        await client.call("eth_chainId")

    await client.close()
    silent.close()


async def test_a_port_where_nobody_listens_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    client = RpcClient(SecretUrl(f"http://127.0.0.1:{port}/v3/{SECRET}"))

    with pytest.raises(TransportError, match=f"http://127.0.0.1:{port}/….*no connection"):
        await client.call("eth_chainId")

    await client.close()


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: web.Response(status=500, reason=SECRET),
        lambda _: b"not json",
        lambda request: refusal(request, -32000, f"project {SECRET} is unknown"),
        lambda _: web.Response(status=302, headers={"Location": f"http://x/{SECRET}"}),
    ],
)
async def test_no_error_ever_prints_the_key(
    client: RpcClient, scripted: ScriptedNode, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.answer = answer

    with pytest.raises(SourceError) as caught:
        await client.call("eth_chainId")

    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert SECRET not in repr(caught.value) + caplog.text


async def test_a_cancelled_call_leaves_the_client_usable(
    client: RpcClient, scripted: ScriptedNode
) -> None:
    asked = asyncio.Event()

    class Slow(web.StreamResponse):
        async def prepare(self, request: web.BaseRequest) -> Any:
            asked.set()
            await asyncio.sleep(10)

    scripted.answer = lambda _: Slow()
    task = asyncio.create_task(client.call("eth_chainId"))
    await asked.wait()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    scripted.answer = lambda request: result(request, 5)
    assert await client.call("eth_chainId") == 5


async def test_what_a_node_says_becomes_one_short_line(
    client: RpcClient, scripted: ScriptedNode
) -> None:
    message = "fine\nERROR the store is gone\x1b[31m" + "x" * 5_000
    scripted.answer = lambda request: refusal(request, -32000, message)

    with pytest.raises(ApplicationError) as caught:
        await client.call("eth_chainId")

    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300
