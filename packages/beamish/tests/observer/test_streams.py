"""Event streams: snapshots, sharing, slow viewers, and the end."""

import asyncio
import logging
from contextlib import AsyncExitStack
from typing import Any

import pytest

from beamish import Pid, process, telemetry
from beamish._snapshots.query import Query, parse
from beamish._snapshots.recorder import Recorder
from beamish._snapshots.views import Views
from beamish.observer import Observer
from beamish.observer import feed as feeds
from beamish.observer.errors import RequestError
from beamish.observer.feed import Feed, Viewer, frame

from .conftest import Observe
from .support import Worker, ask, streaming, until


class Counted:
    """A reader that counts, and can fail."""

    def __init__(self) -> None:
        self.reads = 0
        self.closed = 0
        self.error: Exception | None = None

    async def read(self) -> dict[str, int]:
        if self.error is not None:
            raise self.error
        self.reads += 1
        return {"reads": self.reads}

    def close(self) -> None:
        self.closed += 1


class Fixed(Views):
    """Views that all have readers which a test can see."""

    def __init__(self) -> None:
        super().__init__(Recorder())
        self.readers: list[Counted] = []

    def reader(self, view: str, query: Query) -> Counted:
        self.readers.append(Counted())
        return self.readers[-1]


async def test_stream_sends_snapshots(observe: Observe) -> None:
    url = await observe()

    async with streaming(url, "events?view=processes&sort=pid&dir=asc&limit=1&every=1") as stream:
        event, first = await stream.next()
        _, second = await stream.next()

    assert event == "snapshot"
    assert (first["seconds"], len(first["rows"])) == (None, 1)
    assert second["seconds"] > 0


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("view=none", "view must be one of overview, processes"),
        ("view=state&pid=first", "view must be one of overview"),
        ("view=overview&every=3", "every must be one of 1, 2, 5, 15 seconds; got '3'"),
        ("view=processes&sort=x", "sort must be one of"),
        ("", "view must be one of"),
    ],
)
async def test_invalid_stream_is_explained(observe: Observe, query: str, said: str) -> None:
    found = await ask(await observe(), f"events?{query}")

    assert found.status == 422
    assert said in found.json["error"]


async def test_viewers_of_the_same_view_share_its_readings(program: Pid) -> None:
    views = Fixed()
    feed = Feed(views)

    with feed.stream("a", Query(), 1) as one, feed.stream("a", Query(), 1) as two:
        assert await one.next() == await two.next() == frame("snapshot", {"reads": 1})
        with feed.stream("a", Query(), 2), feed.stream("a", parse({"limit": "1"}), 1):
            pass

    assert len(views.readers) == 3
    assert [reader.closed for reader in views.readers] == [1, 1, 1]


async def test_later_viewer_gets_the_latest_snapshot_at_once(program: Pid) -> None:
    views = Fixed()
    feed = Feed(views)

    with feed.stream("a", Query(), 15) as one:
        await one.next()
        with feed.stream("a", Query(), 15) as two:
            assert await two.next() == frame("snapshot", {"reads": 1})

    assert views.readers[0].reads == 1


async def test_nothing_is_read_without_viewers(program: Pid) -> None:
    views = Fixed()
    feed = Feed(views)
    tasks = len(asyncio.all_tasks())

    with feed.stream("a", Query(), 1) as viewer:
        await viewer.next()
        assert len(asyncio.all_tasks()) == tasks + 1
    await until(lambda: len(asyncio.all_tasks()) == tasks)

    assert views.readers[0].closed == 1
    assert feed.viewers == 0


async def test_slow_viewer_gets_only_the_newest_event() -> None:
    viewer = Viewer()
    viewer.offer(b"old")
    viewer.offer(b"new")

    assert await viewer.next() == b"new"
    assert viewer.sent_last is False


async def test_nothing_replaces_the_last_event() -> None:
    viewer = Viewer()
    viewer.offer(b"bye", last=True)
    viewer.offer(b"new")

    assert await viewer.next() == b"bye"
    assert viewer.sent_last is True


async def test_observer_that_stops_admits_no_viewer(program: Pid) -> None:
    feed = Feed(Fixed())
    feed.close()

    with pytest.raises(RequestError, match="the observer stops"):
        feed.viewer().__enter__()

    assert feed.viewers == 0


async def test_number_of_viewers_is_limited(program: Pid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "MAX_VIEWERS", 2)
    feed = Feed(Fixed())

    with (
        feed.stream("a", Query(), 1),
        feed.stream("b", Query(), 1),
        pytest.raises(RequestError, match="2 streams are open; close a page"),
    ):
        feed.viewer().__enter__()
    with feed.stream("a", Query(), 1):
        assert feed.viewers == 1


async def test_stream_of_a_process_ends_when_it_has_exited(observe: Observe) -> None:
    url = await observe()
    pid = process.spawn(asyncio.Event().wait)

    async with streaming(url, f"events?view=process&pid={pid.serial}&every=1") as stream:
        await stream.next()
        process.exit(pid, "kill")
        event, data = await stream.next()
        while event == "snapshot":
            event, data = await stream.next()

        assert event == "gone"
        assert "no live process" in data["error"]
        assert await stream.next() == ("", None)


async def test_view_that_raises_ends_the_stream_and_is_logged_once(
    program: Pid, caplog: pytest.LogCaptureFixture
) -> None:
    views = Fixed()
    feed = Feed(views)

    with caplog.at_level(logging.ERROR), feed.stream("a", Query(), 1) as viewer:
        views.readers[0].error = RuntimeError("a mistake")
        event = await viewer.next()

    assert event == frame("gone", {"error": "the view could not be read; the log says why"})
    assert [record.getMessage() for record in caplog.records] == [
        "the observer could not read a view"
    ]
    assert views.readers[0].closed == 1


async def test_viewer_after_a_failure_starts_again(program: Pid) -> None:
    views = Fixed()
    feed = Feed(views)

    with feed.stream("a", Query(), 1) as one:
        views.readers[0].error = RuntimeError("a mistake")
        await one.next()
        with feed.stream("a", Query(), 1) as two:
            assert await two.next() == frame("snapshot", {"reads": 1})


async def test_every_stream_gets_bye_when_the_observer_stops(program: Pid) -> None:
    pid = await Observer.start(port=0, allow_actions=True)
    url = await Observer.url(pid) or ""
    trace = {"X_Beamish_Action": "trace"}

    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(streaming(url, "events?view=overview")),
            await stack.enter_async_context(streaming(url, "events?view=tree&every=15")),
            await stack.enter_async_context(
                streaming(url, "api/process/first/trace", "POST", **trace)
            ),
        ]
        await opened[0].next()
        await opened[1].next()
        async with asyncio.timeout(50):
            await Observer.stop(pid, "shutdown")
        for stream in opened:
            event, _ = await stream.next()
            while event == "snapshot":
                event, _ = await stream.next()
            assert event == "bye"
            assert await stream.next() == ("", None)


async def test_viewer_that_leaves_ends_its_reading(observe: Observe) -> None:
    url = await observe()
    tasks = len(asyncio.all_tasks())

    async with streaming(url, "events?view=metrics&every=1") as stream:
        await stream.next()
        assert telemetry.enabled is True
    await until(lambda: not telemetry.enabled)
    await until(lambda: len(asyncio.all_tasks()) <= tasks)


async def test_metrics_count_calls_while_they_are_watched(observe: Observe) -> None:
    url = await observe()

    async with streaming(url, "events?view=metrics&every=1") as stream:
        await stream.next()
        for _ in range(3):
            await Worker.add("first", 1)
        found: dict[str, Any] = {}
        while "beamish.call.stop" not in found:
            _, data = await stream.next()
            found = {row["event"]: row for row in data["rows"] if row["class_name"] == "Worker"}

    assert found["beamish.call.stop"]["count"] == 3
    assert found["beamish.call.stop"]["max_seconds"] > 0
    assert "beamish.call.start" not in found


async def test_programs_own_events_are_counted(observe: Observe) -> None:
    url = await observe(events=[("shop", "order")])

    async with streaming(url, "events?view=metrics&every=1") as stream:
        await stream.next()
        telemetry.execute(("shop", "order"), {"count": 1, "price": 2.5}, {})
        rows: list[Any] = []
        while not rows:
            _, data = await stream.next()
            rows = [row for row in data["rows"] if row["event"] == "shop.order"]

    assert (rows[0]["count"], rows[0]["last"]) == (1, {"price": 2.5})
