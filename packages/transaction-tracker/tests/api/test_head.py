"""HEAD works for each path with GET: with the same headers, without a body."""

import asyncio
import logging
import re

import pytest

from .support import PATIENCE, Client, register

CHANGING = {"date", "x-request-id"}


async def readable(client: Client) -> list[str]:
    described = (await client.get("/openapi.json")).json["paths"]
    found = [path for path, methods in described.items() if "get" in methods]
    return [re.sub(r"\{\w+\}", "abcdefgh", path) for path in found]


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line.getMessage() for line in caplog.records if line.levelno >= logging.ERROR]


async def test_head_has_the_headers_of_get_on_every_path(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    await register(client, "abcdefgh")
    for path in [*await readable(client), "/", "/docs", "/openapi.json", "/assets/main.js"]:
        if path == "/v1/stream":
            continue
        address = f"{path}?timeout=0" if path.endswith("/wait") else path
        got, head = await client.get(address), await client.ask("HEAD", address)

        assert (path, head.status) == (path, got.status)
        assert head.body == b""
        # What is measured changes from one answer to the next.
        names = CHANGING | (
            {"content-length"} if path in ("/metrics", "/v1/transactions/abcdefgh") else set()
        )
        assert {k: v for k, v in head.headers.items() if k not in names} == {
            k: v for k, v in got.headers.items() if k not in names
        }
    assert errors(caplog) == []


async def test_head_of_the_stream_ends_after_the_headers(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await client.connect()
    writer.write(b"HEAD /v1/stream HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")

    answer = (await asyncio.wait_for(reader.read(), PATIENCE)).lower()

    writer.close()
    assert answer.startswith(b"http/1.1 200 ")
    assert b"content-type: text/event-stream" in answer
    assert answer.endswith(b"\r\n\r\n")
    async with asyncio.timeout(PATIENCE):
        while b"transaction_tracker_streams 0.0" not in (await client.get("/metrics")).body:
            await asyncio.sleep(0.002)
    assert errors(caplog) == []


@pytest.mark.parametrize(
    ("path", "status"),
    [("/v1/deliveries/resume", 405), ("/v1/nothing", 404), ("/v1/events?x", 422)],
)
async def test_head_fails_like_get(client: Client, path: str, status: int) -> None:
    head = await client.ask("HEAD", path)

    assert (head.status, head.body) == (status, b"")
    assert head.headers["content-type"] == "application/problem+json"


async def test_path_without_get_has_no_head(client: Client) -> None:
    reply = await client.ask("HEAD", "/v1/deliveries/resume")

    assert reply.headers["allow"] == "POST"


async def test_log_and_metrics_have_the_method_head(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "transaction_tracker.api")

    await client.ask("HEAD", "/v1/events")

    (record,) = [line for line in caplog.records if line.message == "request"]
    assert (record.method, record.status) == ("HEAD", 200)  # type: ignore[attr-defined]
    metrics = (await client.get("/metrics")).body.decode()
    assert re.search(r'http_request_seconds_count{method="HEAD",route="/v1/events"', metrics)
