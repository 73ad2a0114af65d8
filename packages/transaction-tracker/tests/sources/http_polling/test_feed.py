"""The feed of events, page by page."""

from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from transaction_tracker.domain import Reported
from transaction_tracker.sources import ApplicationError, MalformedError, ServerError
from transaction_tracker.sources.http_polling import Feed, HttpPollingSource
from transaction_tracker.sources.polled import FeedLostError

from .support import SECRET, ScriptedService

Make = Callable[..., HttpPollingSource]


def feed(service: ScriptedService, **options: Any) -> Feed:
    defaults: dict[str, Any] = {"entries": "events", "id": "id", "status": "status"}
    if "entry_cursor" not in options:
        defaults["next"] = "next"
    return Feed(f"{service.url}/{SECRET}/events?after={{cursor}}", **(defaults | options))


@pytest.fixture
def source(make: Make, service: ScriptedService) -> HttpPollingSource:
    return make(feed=feed(service))


async def test_page_has_states_and_the_next_cursor(
    source: HttpPollingSource, service: ScriptedService
) -> None:
    entries = [{"id": "t1", "status": "processing"}, {"id": "t1", "status": "settled"}]
    service.answer = lambda _: {"events": entries, "next": "p 2"}

    page = await source.read_feed(None)
    await source.read_feed(page.cursor)

    assert page.entries == (("t1", Reported("pending")), ("t1", Reported("confirmed")))
    assert (page.cursor, page.more) == ("p 2", True)
    assert [path.rpartition("=")[2] for path in service.paths] == ["", "p%202"]


@pytest.mark.parametrize("after", [{"next": "p1"}, {"next": None}, {}])
async def test_last_page_keeps_the_cursor(
    source: HttpPollingSource, service: ScriptedService, after: dict[str, Any]
) -> None:
    service.answer = lambda _: {"events": [{"id": "t1", "status": "settled"}]} | after

    page = await source.read_feed("p1")

    assert (page.cursor, page.more) == ("p1", False)


async def test_entries_can_have_cursors(make: Make, service: ScriptedService) -> None:
    source = make(feed=feed(service, entry_cursor="number", start="0"))
    events = [{"id": "t1", "status": "settled", "number": 7}]
    service.answer = lambda request: {"events": events if request.query["after"] == "0" else []}

    page = await source.read_feed(None)
    last = await source.read_feed(page.cursor)

    assert (page.cursor, page.more) == ("7", True)
    assert (last.cursor, last.more) == ("7", False)


async def test_other_entries_are_skipped_and_malformed_ones_trigger_a_look_up(
    source: HttpPollingSource, service: ScriptedService
) -> None:
    entries = [
        {"id": "not/ours", "status": "settled"},
        {"status": "settled"},
        7,
        {"id": "t1"},
        {"id": "t2", "status": "odd"},
        {"id": "t3", "status": []},
    ]
    service.answer = lambda _: {"events": entries, "next": 2}

    page = await source.read_feed(None)

    assert page.entries == (("t1", None), ("t2", None), ("t3", None))
    assert page.cursor == "2"


@pytest.mark.parametrize("status", [400, 404, 410])
async def test_unknown_cursor_is_lost(
    source: HttpPollingSource, service: ScriptedService, status: int
) -> None:
    service.answer = lambda _: web.Response(status=status)

    with pytest.raises(FeedLostError):
        await source.read_feed("p1")
    with pytest.raises(ApplicationError):
        await source.read_feed(None)


@pytest.mark.parametrize("answer", [{}, {"events": {}}, {"events": [], "next": []}])
async def test_page_without_the_configured_paths_is_malformed(
    source: HttpPollingSource, service: ScriptedService, answer: Any
) -> None:
    service.answer = lambda _: answer

    with pytest.raises(MalformedError):
        await source.read_feed("p1")


@pytest.mark.parametrize("cursor", ["", "x" * 1_001, "a\nb"])
async def test_invalid_cursor_is_malformed(
    source: HttpPollingSource, service: ScriptedService, cursor: str
) -> None:
    service.answer = lambda _: {"events": [], "next": cursor}

    with pytest.raises(MalformedError):
        await source.read_feed("p1")


async def test_failing_feed_raises_the_error(
    source: HttpPollingSource, service: ScriptedService
) -> None:
    service.answer = lambda _: web.Response(status=502)

    with pytest.raises(ServerError) as caught:
        await source.read_feed("p1")

    assert SECRET not in str(caught.value)
