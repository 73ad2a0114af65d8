"""Limits of requests: size, depth, time, headers, connections, concurrency."""

import asyncio
import gzip
import time
from contextlib import suppress

import orjson
import pytest

from transaction_tracker.api.bodies import MAX_CONTAINERS, MAX_DEPTH, check_depth
from transaction_tracker.api.problems import ProblemError

from .support import PATIENCE, Client, serving

PATH = "/v1/transactions"
JSON = {"Content-Type": "application/json"}


async def test_content_length_over_the_limit_is_refused() -> None:
    async with serving(max_body_bytes=1_024) as client:
        reply = await client.post(PATH, data=b"[" + b" " * 2_000 + b"]", headers=JSON)

    assert reply.status == 413
    assert reply.headers["content-type"] == "application/problem+json"


async def test_body_without_content_length_is_counted() -> None:
    async with serving(max_body_bytes=100_000) as client:
        reader, writer = await client.connect()
        writer.write(
            b"POST /v1/transactions HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        for _ in range(11):
            writer.write(b"2710\r\n" + b" " * 10_000 + b"\r\n")
        writer.write(b"0\r\n\r\n")

        assert b" 413 " in await asyncio.wait_for(reader.readline(), PATIENCE)
        writer.close()


async def test_endless_body_is_refused_and_the_connection_closed() -> None:
    async with serving(max_body_bytes=1_024, body_seconds=5.0) as client:
        reader, writer = await client.connect()
        writer.write(
            b"POST /v1/transactions HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        writer.write(b"7d0\r\n" + b" " * 2_000 + b"\r\n")

        answer = await asyncio.wait_for(reader.read(), PATIENCE)

        assert answer.startswith(b"HTTP/1.1 413 ")
        writer.close()


async def test_compressed_body_is_refused(client: Client) -> None:
    bomb = gzip.compress(b"[" + b" " * 10_000_000 + b"]")

    reply = await client.post(PATH, data=bomb, headers=JSON | {"Content-Encoding": "gzip"})

    assert reply.status == 415


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "", "x"])
async def test_media_type_that_a_form_can_send_is_refused(client: Client, media_type: str) -> None:
    reply = await client.post(PATH, data=b'{"id":"abcdefgh"}', headers={"Content-Type": media_type})

    assert reply.status == 415


BROKEN = [
    *(b"{", b"{bad", b"[[}", b"]", b"nul", b'"\xff"', b"[1,]", b'{"id":"a\nb"}', b"\x00"),
    *(b"[" * 40, b"{" + b"[]" * 99, b'{"id":"a"', b'{"n": 1' + b"0" * 5_000 + b"}"),
]


@pytest.mark.parametrize("body", BROKEN)
@pytest.mark.parametrize("path", [PATH, "/v1/tokens", "/v1/endpoints"])
async def test_body_that_is_not_json_is_reported(client: Client, path: str, body: bytes) -> None:
    reply = await client.post(path, data=body, headers=JSON)

    assert reply.status == 400
    assert reply.json["type"] == "urn:problem-type:transaction-tracker:not-json"
    assert reply.json["detail"].startswith("the body is not valid JSON: ")


async def test_invalid_json_is_reported_with_its_position(client: Client) -> None:
    reply = await client.post("/v1/tokens", data=b'{"label": x}', headers=JSON)

    assert reply.json["detail"].endswith("Expecting value at character 10")


@pytest.mark.parametrize("body", [b"", b'{"id": NaN}'])
async def test_empty_body_is_refused(client: Client, body: bytes) -> None:
    for path in (PATH, "/v1/tokens"):
        reply = await client.post(path, data=body, headers=JSON)

        assert reply.status in (400, 422), reply.body


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
async def test_deep_json_is_refused_on_every_path(client: Client, opening: bytes) -> None:
    for path in (PATH, "/v1/tokens", "/v1/endpoints"):
        reply = await client.post(path, data=opening * 100_000, headers=JSON)

        assert reply.status == 400, reply.body


async def test_deep_json_differs_from_invalid_json(client: Client) -> None:
    deep = b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1)

    reply = await client.post(PATH, data=deep, headers=JSON)

    assert (reply.status, reply.json["type"]) == (400, "about:blank")
    assert reply.json["detail"] == f"JSON must be nested at most {MAX_DEPTH} deep"


def test_depth_is_counted_exactly_and_brackets_in_strings_do_not_count() -> None:
    check_depth(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    check_depth(orjson.dumps({"a": "[" * 1_000, "b": '\\"[' * 100, "c": [{}] * 1_000}))
    with pytest.raises(ProblemError):
        check_depth(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))


def test_very_many_lists_are_refused() -> None:
    with pytest.raises(ProblemError):
        check_depth(b"[" + b"[]," * (MAX_CONTAINERS + 1) + b"0]")


@pytest.mark.parametrize(
    "evil",
    [b'"\\' * 2_000_000, b'\\"' * 2_000_000, b'"' * 4_000_001, b'"a' * 400_000, b"[]" * 240_000],
)
def test_depth_check_is_fast_for_any_body(evil: bytes) -> None:
    began = time.process_time()

    with suppress(ProblemError):
        check_depth(evil)

    # One pass takes a fraction of a second; looking back at each quote would take minutes.
    assert time.process_time() - began < 10.0


async def test_slow_body_times_out() -> None:
    async with serving(body_seconds=0.05) as client:
        reader, writer = await client.connect()
        writer.write(
            b"POST /v1/transactions HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n["
        )

        answer = await asyncio.wait_for(reader.read(), PATIENCE)

        assert answer.startswith(b"HTTP/1.1 408 ")
        writer.close()


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nX: "])
async def test_slow_headers_time_out(sent: bytes) -> None:
    async with serving(header_seconds=0.05) as client:
        reader, writer = await client.connect()
        writer.write(sent)

        assert await asyncio.wait_for(reader.read(), PATIENCE) == b""
        writer.close()


async def test_second_request_has_the_same_timeout() -> None:
    async with serving(header_seconds=0.1) as client:
        reader, writer = await client.connect()
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nG")

        answer = await asyncio.wait_for(reader.read(), PATIENCE)

        assert answer.startswith(b"HTTP/1.1 200 ")
        writer.close()


@pytest.mark.parametrize(
    "headers", [b"X: " + b"x" * 50_000, b"X: y\r\n" * 101, b"X: " + b"x" * 9_000_000]
)
async def test_large_headers_are_refused(client: Client, headers: bytes) -> None:
    reader, writer = await client.connect()
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + headers + b"\r\n\r\n")

    answer = await asyncio.wait_for(reader.read(), PATIENCE)

    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 431 "))
    assert b"application/problem+json" in answer
    writer.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    ],
)
async def test_invalid_request_is_400_and_not_logged(
    client: Client, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await client.connect()
    writer.write(sent)

    assert (await asyncio.wait_for(reader.read(), PATIENCE)).startswith(b"HTTP/1.1 400 ")
    assert not caplog.records
    writer.close()


@pytest.mark.parametrize("length", [b"5", b"35"])
@pytest.mark.parametrize("path", [b"/v1/transactions", b"/healthz", b"/nothing"])
async def test_ambiguous_body_length_closes_the_connection(
    client: Client, length: bytes, path: bytes
) -> None:
    """RFC 9112, section 6.1: the rest can be a request that a proxy has not seen."""
    reader, writer = await client.connect()
    writer.write(
        b"POST " + path + b" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: " + length + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\n[]\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    )

    answer = await asyncio.wait_for(reader.read(), PATIENCE)

    assert answer.count(b"HTTP/1.1 ") == 1, answer
    assert b"\r\nconnection: close\r\n" in answer.lower()
    writer.close()


async def test_a_websocket_is_not_opened(client: Client) -> None:
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}

    assert (await client.get("/v1/stream?after=x", headers=upgrade)).status == 422


async def test_too_many_connections_are_closed() -> None:
    async with serving(max_connections=3) as client:
        some = [await client.connect() for _ in range(3)]
        reader, writer = await client.connect()
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")

        with pytest.raises(ConnectionError):
            if await asyncio.wait_for(reader.read(), PATIENCE) == b"":
                raise ConnectionResetError
        for _, one in (*some, (reader, writer)):
            one.close()


async def test_too_many_requests_at_once_are_refused() -> None:
    async with serving(max_requests=1) as client:
        reader, writer = await client.connect()
        writer.write(b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readline()

        reply = await client.get("/healthz")

        assert reply.status == 503
        assert reply.headers["retry-after"] == "1"
        writer.close()


async def test_body_is_not_read_without_a_token() -> None:
    async with serving(body_seconds=60.0) as client:
        await client.post("/v1/tokens", json={"label": "me", "scopes": ["admin"]})
        reader, writer = await client.connect()
        writer.write(
            b"POST /v1/transactions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n["
        )

        assert b" 401 " in await asyncio.wait_for(reader.readline(), PATIENCE)
        writer.close()
