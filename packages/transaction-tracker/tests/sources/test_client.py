"""The JSON-RPC client against a node with invalid responses."""

import asyncio
import gzip
import socket
import traceback
from typing import Any

import pytest
from aiohttp import web

from transaction_tracker.domain import BlockRef
from transaction_tracker.sources import (
    ApplicationError,
    MalformedError,
    RateLimitedError,
    ServerError,
    SourceError,
    TransportError,
)
from transaction_tracker.sources.ethereum import RpcClient, SecretUrl
from transaction_tracker.sources.ethereum.rpc import Identity, Request

from ..clock import Clock  # noqa: TID252 - for all tests of the package
from .support import SECRET, SECRETS, ScriptedNode, refusal, result


async def test_call_returns_its_result(client: RpcClient, scripted: ScriptedNode) -> None:
    scripted.answer = lambda request: result(request, "0x1")

    assert await client.call("eth_chainId") == "0x1"
    assert scripted.received == [{"jsonrpc": "2.0", "id": 0, "method": "eth_chainId", "params": []}]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"", MalformedError),
        (b"not json", MalformedError),
        (b'"text"', MalformedError),
        (b"[]", MalformedError),
        ({"jsonrpc": "2.0", "id": 0}, MalformedError),
        ({"jsonrpc": "2.0", "id": 7, "result": 1}, MalformedError),
        ({"jsonrpc": "2.0", "id": [0], "result": 1}, MalformedError),
        ({"jsonrpc": "2.0", "id": False, "result": 1}, MalformedError),
        ([{"jsonrpc": "2.0", "id": {}, "result": 1}], MalformedError),
        ([1], MalformedError),
        (b"[" * 500, MalformedError),
        (b'"' + b"x" * 20_000 + b'"', MalformedError),
        ({"jsonrpc": "2.0", "id": 0, "error": "odd"}, ApplicationError),
        ({"jsonrpc": "2.0", "id": None, "error": {"code": -32700}}, ApplicationError),
        ({"jsonrpc": "2.0", "id": "", "error": {"code": -32700}}, ApplicationError),
    ],
)
async def test_invalid_response_is_an_error_of_its_class(
    client: RpcClient, scripted: ScriptedNode, answer: Any, kind: type[SourceError]
) -> None:
    scripted.answer = lambda _: answer

    with pytest.raises(kind):
        await client.call("eth_chainId")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, ServerError),
        (400, ApplicationError),
        (401, ServerError),
        (413, MalformedError),
        (429, RateLimitedError),
        (502, ServerError),
    ],
)
async def test_status_other_than_200_is_an_error_of_its_class(
    client: RpcClient, scripted: ScriptedNode, status: int, kind: type[SourceError]
) -> None:
    elsewhere = {"Location": "http://elsewhere.invalid/"} if status == 302 else {}
    scripted.answer = lambda _: web.Response(status=status, headers=elsewhere)

    with pytest.raises(kind, match=f"HTTP {status}"):
        await client.call("eth_chainId")

    assert len(scripted.received) == 1


async def test_error_with_a_null_result_is_an_error(
    client: RpcClient, scripted: ScriptedNode
) -> None:
    """Nodes that follow JSON-RPC 1.0 send both fields: null does not mean that nothing exists."""
    scripted.answer = lambda request: refusal(request, -32000, "busy") | {"result": None}

    with pytest.raises(ApplicationError, match="busy"):
        await client.call("eth_getTransactionByHash", "0x1")


async def test_error_with_a_null_result_is_an_error_in_a_batch(
    client: RpcClient, scripted: ScriptedNode
) -> None:
    scripted.answer = lambda requests: [
        refusal(requests[0], -32000, "busy") | {"result": None},
        result(requests[1], None),
    ]

    failed, absent = await client.batch([Request("eth_getTransactionByHash", ("0x1",))] * 2)

    assert isinstance(failed, ApplicationError)
    assert absent is None


async def test_retry_after_is_in_the_error(client: RpcClient, scripted: ScriptedNode) -> None:
    scripted.answer = lambda _: web.Response(status=429, headers={"Retry-After": "17"})

    with pytest.raises(RateLimitedError) as caught:
        await client.call("eth_chainId")

    assert caught.value.retry_after == 17.0


async def test_incomplete_response_is_a_transport_error(
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


async def test_response_that_decompresses_to_too_much_is_refused(
    client: RpcClient, scripted: ScriptedNode
) -> None:
    packed = gzip.compress(b" " * 50_000_000)
    scripted.answer = lambda _: web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    with pytest.raises(MalformedError, match="longer than 10000 bytes"):
        await client.call("eth_chainId")


async def test_response_with_too_many_objects_is_refused(scripted: ScriptedNode) -> None:
    """A parser would need hundreds of megabytes, and block the event loop for seconds."""
    many = b'{"jsonrpc":"2.0","id":0,"result":[' + b"{}," * 1_000_000 + b"{}]}"
    scripted.answer = lambda _: web.Response(body=many, content_type="application/json")
    client = RpcClient(SecretUrl(scripted.url), deadline=30.0)

    with pytest.raises(MalformedError, match="too many values"):
        await client.call("eth_chainId")
    await client.close()


async def test_long_response_is_parsed_in_parts(scripted: ScriptedNode) -> None:
    value = [{"number": number, "text": '"[{,\\'} for number in range(50_000)]
    scripted.answer = lambda request: result(request, value)
    client = RpcClient(SecretUrl(scripted.url), deadline=30.0)

    assert await client.call("eth_chainId") == value
    await client.close()


async def test_response_with_invalid_compression_is_a_transport_error(
    client: RpcClient, scripted: ScriptedNode
) -> None:
    scripted.answer = lambda _: web.Response(body=b"no", headers={"Content-Encoding": "gzip"})

    with pytest.raises(TransportError):
        await client.call("eth_chainId")


async def test_suspend_does_not_end_a_request(clock: Clock) -> None:
    """The answer that has arrived meanwhile is read, although the deadline has passed."""
    node = socket.create_server(("127.0.0.1", 0))
    node.setblocking(False)
    client = RpcClient(SecretUrl(f"http://127.0.0.1:{node.getsockname()[1]}"), deadline=100.0)
    calling = asyncio.create_task(client.call("eth_chainId"))
    loop = asyncio.get_running_loop()
    connection, _ = await loop.sock_accept(node)
    await loop.sock_recv(connection, 1)

    clock.advance(1_000.0)
    for _ in range(10):
        await asyncio.sleep(0)
    body = b'{"jsonrpc":"2.0","id":0,"result":"0x1"}'
    await loop.sock_sendall(
        connection, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    )

    assert await asyncio.gather(calling, return_exceptions=True) == ["0x1"]
    await client.close()
    connection.close()
    node.close()


async def test_request_to_a_silent_node_ends_at_its_deadline(clock: Clock) -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    silent.setblocking(False)
    client = RpcClient(SecretUrl(f"http://127.0.0.1:{silent.getsockname()[1]}"), deadline=100.0)
    calling = asyncio.create_task(client.call("eth_chainId"))
    connection, _ = await asyncio.get_running_loop().sock_accept(silent)
    assert not calling.done()

    await clock.advance_awake(calling.done)
    with pytest.raises(TransportError, match=r"no answer within (100|99\.\d+) s"):
        await calling

    await client.close()
    connection.close()
    silent.close()


async def test_error_of_a_closed_port_names_the_url(closed_port: int) -> None:
    client = RpcClient(SecretUrl(f"http://127.0.0.1:{closed_port}/v3/{SECRET}"))

    with pytest.raises(TransportError, match=f"http://127.0.0.1:{closed_port}/….*no connection"):
        await client.call("eth_chainId")

    await client.close()


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "answer",
    [
        lambda _, secret: web.Response(status=500, reason=secret),
        lambda _, secret: f"not json, {secret}".encode(),
        lambda request, secret: refusal(request, -32000, f"project {secret} is unknown"),
        lambda _, secret: web.Response(status=302, headers={"Location": f"http://x/{secret}"}),
    ],
)
async def test_errors_contain_no_key(
    client: RpcClient,
    scripted: ScriptedNode,
    answer: Any,
    secret: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    scripted.answer = lambda request: answer(request, secret)

    with pytest.raises(SourceError) as caught:
        await client.call("eth_chainId")

    assert secret not in "".join(traceback.format_exception(caught.value))
    assert secret not in repr(caught.value) + caplog.text


@pytest.mark.parametrize("secret", SECRETS)
async def test_error_data_contains_no_key(
    client: RpcClient, scripted: ScriptedNode, secret: str
) -> None:
    error = {"code": 3, "message": "execution reverted", "data": f"0x12 {secret}"}
    scripted.answer = lambda request: result(request, None) | {"error": error}

    with pytest.raises(ApplicationError) as caught:
        await client.call("eth_call")

    assert caught.value.data == "0x12 …"


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


async def test_message_of_a_node_becomes_one_short_line(
    client: RpcClient, scripted: ScriptedNode
) -> None:
    message = "fine\nERROR the store is gone\x1b[31m" + "x" * 5_000
    scripted.answer = lambda request: refusal(request, -32000, message)

    with pytest.raises(ApplicationError) as caught:
        await client.call("eth_chainId")

    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


async def test_name_of_a_client_contains_no_key(client: RpcClient) -> None:
    assert not any(secret in str(client) + repr(client) for secret in SECRETS)
    assert str(client).startswith("http://127.0.0.1:")


async def test_identity_is_the_chain_id_and_block_0(
    client: RpcClient, scripted: ScriptedNode
) -> None:
    genesis = "0x" + "A" * 64
    scripted.answer = lambda requests: [
        result(requests[0], "0x7a69"),
        result(requests[1], {"number": "0x0", "hash": genesis}),
    ]

    assert await client.identity() == Identity(31337, BlockRef(0, genesis.lower()))


@pytest.mark.parametrize(
    ("chain_id", "block_0", "kind"),
    [
        ("0x1", {"number": "0x0", "hash": "0x1"}, MalformedError),
        ("0x1", {"number": "0x1", "hash": "0x" + "1" * 64}, MalformedError),
        ("0x1", {"hash": "0x" + "1" * 64}, MalformedError),
        (1, {"hash": "0x" + "1" * 64}, MalformedError),
    ],
)
async def test_malformed_identity_is_an_error(
    client: RpcClient, scripted: ScriptedNode, chain_id: Any, block_0: Any, kind: type[SourceError]
) -> None:
    scripted.answer = lambda requests: [result(requests[0], chain_id), result(requests[1], block_0)]

    with pytest.raises(kind):
        await client.identity()


async def test_refused_identity_is_an_error(client: RpcClient, scripted: ScriptedNode) -> None:
    scripted.answer = lambda requests: refusal(requests, -32601, "method not found")

    with pytest.raises(ApplicationError):
        await client.identity()


async def test_single_node_is_all_nodes(client: RpcClient, scripted: ScriptedNode) -> None:
    scripted.answer = lambda request: result(request, 5)

    assert await client.seek("eth_call") == 5
    assert await client.everywhere([Request("eth_call"), Request("eth_call")]) == [[5, 5]]


@pytest.mark.parametrize("status", [400, 500, 503])
async def test_error_in_the_body_has_priority_over_the_status(
    client: RpcClient, scripted: ScriptedNode, status: int
) -> None:
    def answer(request: Any) -> Any:
        body = refusal(request, 3, "execution reverted")
        return web.json_response(body, status=status)

    scripted.answer = answer

    with pytest.raises(ApplicationError, match="execution reverted"):
        await client.call("eth_call")


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b'{"error": "down"}', b"x" * 20_000])
async def test_status_without_an_error_in_the_body_is_the_error(
    client: RpcClient, scripted: ScriptedNode, body: bytes
) -> None:
    scripted.answer = lambda _: web.Response(status=502, body=body)

    with pytest.raises(ServerError, match="HTTP 502"):
        await client.call("eth_call")


async def test_rate_limited_node_gets_no_requests_until_the_pause_ends(
    client: RpcClient, scripted: ScriptedNode
) -> None:
    scripted.answer = lambda _: web.Response(status=429, headers={"Retry-After": "17"})
    with pytest.raises(RateLimitedError):
        await client.call("eth_chainId")

    with pytest.raises(RateLimitedError, match=r"rate limited; retrying in 1\d\.\d s") as caught:
        await client.call("eth_chainId")

    assert caught.value.retry_after == pytest.approx(17, abs=1)
    assert client.requests == 1
