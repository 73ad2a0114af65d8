"""Single look-ups: the result of each kind of response."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web

from transaction_tracker.domain import Reported
from transaction_tracker.sources import (
    ApplicationError,
    MalformedError,
    NotYetError,
    RateLimitedError,
    ServerError,
    SourceError,
    TransportError,
    has_blocks,
)
from transaction_tracker.sources.http_polling import HttpPollingSource, RequestLimits
from transaction_tracker.sources.polled import LookUpResult, PolledSource

from ...clock import Clock  # noqa: TID252 - for all tests of the package
from .support import SECRET, ScriptedService

Make = Callable[..., HttpPollingSource]


async def ask(source: HttpPollingSource, transaction: str = "t1") -> LookUpResult:
    return (await source.look_up([transaction]))[transaction]


async def refused(source: HttpPollingSource, transaction: str = "t1") -> SourceError:
    reply = await ask(source, transaction)
    assert isinstance(reply, SourceError), reply
    return reply


def test_source_is_a_polled_source(make: Make) -> None:
    source: PolledSource = make()

    assert not has_blocks(source)


@pytest.mark.parametrize(
    ("word", "fact"),
    [
        ("processing", Reported("pending")),
        ("settled", Reported("confirmed")),
        ("rejected", Reported("failed", "no funds")),
        ("returned", Reported("reversed", "no funds")),
    ],
)
async def test_word_maps_to_a_state(
    make: Make, service: ScriptedService, word: str, fact: Reported
) -> None:
    service.answer = lambda _: {"data": [{"status": word, "why": "no funds"}]}

    assert await ask(make(status="data[0].status", error="data[0].why")) == fact


@pytest.mark.parametrize("value", [3, True, "3 "])
async def test_numbers_and_booleans_are_words(
    make: Make, service: ScriptedService, value: object
) -> None:
    service.answer = lambda _: {"status": value}

    source = make(words={"3": "pending", "true": "confirmed", "3 ": "failed"})

    expected = {3: "pending", True: "confirmed", "3 ": "failed"}[value]  # type: ignore[index]
    assert await ask(source) == Reported(expected)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "answer", [{"status": None}, {"status": "noted"}, {"status": "newfangled"}]
)
async def test_null_and_words_for_nothing_report_no_state(
    make: Make, service: ScriptedService, answer: Any
) -> None:
    service.answer = lambda _: answer

    assert await ask(make()) is None


async def test_unknown_word_is_listed_and_logged_once(
    make: Make, service: ScriptedService, caplog: pytest.LogCaptureFixture
) -> None:
    service.answer = lambda _: {"status": "newfangled\n\x1b[31m"}
    source = make()

    with caplog.at_level(logging.WARNING, "transaction_tracker"):
        await ask(source, "t1")
        await ask(source, "t2")

    assert source.unknown_words == ("newfangled\n\x1b[31m",)
    (record,) = caplog.records
    assert "'newfangled\\n\\x1b[31m'" in record.getMessage()


@pytest.mark.parametrize("status", [404, 410])
async def test_unknown_transaction_reports_no_state(
    make: Make, service: ScriptedService, status: int
) -> None:
    service.answer = lambda _: web.Response(status=status)

    assert await ask(make()) is None


async def test_unknown_transaction_reports_the_configured_state(
    make: Make, service: ScriptedService
) -> None:
    service.answer = lambda _: web.Response(status=404)

    reply = await ask(make(not_found="missing"))

    assert reply == Reported("missing", "unknown to the service")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (202, NotYetError),
        (204, NotYetError),
        (304, ServerError),
        (302, ServerError),
        (400, ApplicationError),
        (401, ServerError),
        (403, ServerError),
        (408, ServerError),
        (409, ApplicationError),
        (425, NotYetError),
        (429, RateLimitedError),
        (500, ServerError),
        (503, ServerError),
    ],
)
async def test_http_status_maps_to_an_error_class(
    make: Make, service: ScriptedService, status: int, kind: type[SourceError]
) -> None:
    headers = {"Location": f"{service.url}/elsewhere"}
    service.answer = lambda _: web.Response(status=status, headers=headers)

    error = await refused(make())

    assert type(error) is kind
    assert f"HTTP {status}" in str(error)
    assert len(service.received) == 1  # redirects are not followed


async def test_retry_after_in_seconds_delays_the_next_request(
    make: Make, service: ScriptedService
) -> None:
    service.answer = lambda _: web.Response(status=429, headers={"Retry-After": "7"})
    source = make()

    error = await refused(source)
    again = await refused(source, "t2")

    assert isinstance(error, RateLimitedError)
    assert error.retry_after == 7
    assert isinstance(again, RateLimitedError)
    assert again.retry_after == pytest.approx(7, abs=1)
    assert len(service.received) == 1  # no request is sent before that time


async def test_retry_after_as_a_date_delays_the_next_request(
    make: Make, service: ScriptedService
) -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    service.answer = lambda _: web.Response(status=503, headers={"Retry-After": moment})

    error = await refused(make())

    assert isinstance(error, RateLimitedError)
    assert error.retry_after == pytest.approx(60, abs=3)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"1",
        b'{"other": 1}',
        b'{"status": {}}',
        b'{"status": 1.5}',
        b'{"status": ' + b"[" * 40 + b"]" * 40 + b"}",
        b"[" * 100_000 + b"]" * 100_000,
    ],
)
async def test_response_without_the_configured_paths_is_malformed(
    make: Make, service: ScriptedService, body: bytes
) -> None:
    service.answer = lambda _: body

    assert type(await refused(make())) is MalformedError


async def test_too_long_response_is_refused(make: Make, service: ScriptedService) -> None:
    service.answer = lambda _: {"status": "settled", "more": "x" * 2_000}

    error = await refused(make(limits=RequestLimits(answer_bytes=1_000)))

    assert isinstance(error, MalformedError)
    assert "longer than 1000 bytes" in str(error)


async def test_response_about_another_transaction_is_malformed(
    make: Make, service: ScriptedService
) -> None:
    service.answer = lambda _: {"id": "t2", "status": "settled"}
    source = make(id="id")

    assert isinstance(await ask(source, "t1"), MalformedError)
    assert await ask(source, "t2") == Reported("confirmed")


async def test_hanging_request_ends_at_its_deadline(
    make: Make, service: ScriptedService, clock: Clock
) -> None:
    asked, released = asyncio.Event(), asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        asked.set()
        await released.wait()
        return web.Response()

    service.answer = hang
    asking = asyncio.create_task(refused(make(limits=RequestLimits(deadline=100.0))))
    await asked.wait()
    await clock.advance_awake(asking.done)
    error = await asking
    released.set()

    assert isinstance(error, TransportError)
    assert "100 s" in str(error)


async def test_incomplete_response_is_an_error(make: Make, service: ScriptedService) -> None:
    async def break_off(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b'{"status": "settled"}')
        assert request.transport is not None
        request.transport.abort()
        return response

    service.answer = break_off

    assert type(await refused(make())) is TransportError


async def test_forbidden_address_gets_no_request(
    service: ScriptedService,
) -> None:
    port = service.url.rpartition(":")[2]
    source = HttpPollingSource(
        f"https://metadata.test:{port}/{{id}}",
        name="bank",
        status="status",
        words={"settled": "confirmed"},
        allow=["127.0.0.1"],
    )

    error = await refused(source)
    await source.close()

    assert isinstance(error, TransportError)
    assert service.received == []


async def test_id_is_percent_encoded_in_the_url(make: Make, service: ScriptedService) -> None:
    strange = "a/../b?c=d&e#f %2F+;ü"

    await ask(make(id_pattern=".+"), strange)
    await ask(make(url=f"{service.url}/look?up={{id}}&more=1", id_pattern=".+"), strange)

    path, query = service.received
    assert path.rel_url.raw_parts[:-1] == ("/", SECRET, "transfers")
    assert path.rel_url.parts[-1] == strange
    assert dict(query.query) == {"up": strange, "more": "1"}


async def test_unchanged_response_is_not_sent_again(make: Make, service: ScriptedService) -> None:
    def answer(request: web.Request) -> Any:
        if request.headers.get("If-None-Match") == '"v1"':
            return web.Response(status=304)
        return web.json_response({"status": "processing"}, headers={"ETag": '"v1"'})

    service.answer = answer
    source = make()

    assert [await ask(source), await ask(source)] == [Reported("pending")] * 2
    assert [request.headers.get("If-None-Match") for request in service.received] == [None, '"v1"']


async def test_bad_end_is_requested_without_a_tag(make: Make, service: ScriptedService) -> None:
    service.answer = lambda _: web.json_response({"status": "rejected"}, headers={"ETag": '"v1"'})
    source = make()

    await ask(source)
    await ask(source)

    assert all("If-None-Match" not in request.headers for request in service.received)


async def test_headers_are_sent_with_each_request(make: Make, service: ScriptedService) -> None:
    await ask(make())

    (request,) = service.received
    assert request.headers["Authorization"] == f"Bearer {SECRET}"
    assert request.headers["Accept"] == "application/json"


async def test_errors_logs_and_reprs_contain_no_secret(
    make: Make, service: ScriptedService, caplog: pytest.LogCaptureFixture
) -> None:
    answers = iter([web.Response(status=500), b"{", {"status": "odd"}, web.Response(status=400)])
    service.answer = lambda _: next(answers)
    source = make()

    with caplog.at_level(logging.DEBUG, "transaction_tracker"):
        replies = [await ask(source) for _ in range(4)]

    told = caplog.text + repr(source) + "".join(f"{reply} {reply!r}" for reply in replies)
    assert "127.0.0.1" in told
    assert SECRET not in told


async def test_rate_limit_is_kept(make: Make, service: ScriptedService) -> None:
    source = make(limits=RequestLimits(requests_per_second=50))
    loop = asyncio.get_running_loop()

    started = loop.time()
    for number in range(60):
        assert await ask(source, f"t{number}") == Reported("confirmed")

    assert loop.time() - started >= 0.18  # a burst of 50, then 10 at 50 per second
    assert source.requests == 60


async def test_number_of_concurrent_requests_is_limited(
    make: Make, service: ScriptedService
) -> None:
    now = most = 0

    async def answer(_: web.Request) -> web.Response:
        nonlocal now, most
        now += 1
        most = max(most, now)
        for _ in range(5):
            await asyncio.sleep(0)
        now -= 1
        return web.json_response({"status": "settled"})

    service.answer = answer
    source = make(limits=RequestLimits(in_flight=3))

    replies = await source.look_up([f"t{number}" for number in range(20)])

    assert set(replies.values()) == {Reported("confirmed")}
    assert most == 3
