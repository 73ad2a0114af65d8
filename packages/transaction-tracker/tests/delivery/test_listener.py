"""The ``on_event`` callback: each event at least once, in order."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import pytest

from beamish import GenServer, process
from transaction_tracker.delivery import listener
from transaction_tracker.delivery.listener import (
    CONSUMER,
    LISTENER,
    EventListener,
    OnEvent,
    StoredEvent,
)
from transaction_tracker.domain import Event
from transaction_tracker.store import Store, chain, feed

from .conftest import storing
from .support import eventually, happens, life, register, write


@asynccontextmanager
async def listening(on_event: OnEvent, *, from_start: bool = False) -> AsyncIterator[None]:
    pid = await EventListener.start(on_event, from_start=from_start, name=LISTENER)
    yield
    if process.is_alive(pid):
        await GenServer.stop(pid)


async def position() -> int:
    return await Store.run(partial(feed.begin, consumer=CONSUMER, from_start=True))


class Recorder:
    """A callback that records the ids of its events."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def __call__(self, event: Event) -> None:
        self.heard.append(event.id)


async def test_callback_gets_whole_events_in_order(store: None) -> None:
    heard: list[Event] = []

    async def on_event(event: Event) -> None:
        await asyncio.sleep(0)
        heard.append(event)

    async with listening(on_event):
        await happens("tx")
        await eventually(lambda: len(heard) == 3)

    assert [Event(event.previous, event.tracked) for event in heard] == life("tx")


def test_stored_event_is_created_by_position() -> None:
    """Tests of users create events for their callback."""
    (event, *_) = life("tx")

    stored = StoredEvent(event.previous, event.tracked, {"invoice": 17}, 5.0, True)

    assert (stored.metadata, stored.recorded_at, stored.matches) == ({"invoice": 17}, 5.0, True)
    assert stored.details == event.details


async def test_event_has_its_metadata_and_time(store: None) -> None:
    heard: list[StoredEvent] = []
    before = time.time()

    async with listening(heard.append):
        await register("tx", metadata='{"invoice": 17}')
        await write(life("tx")[0])
        await eventually(lambda: heard)

    assert heard[0].metadata == {"invoice": 17}
    assert before <= heard[0].recorded_at <= time.time()
    assert len({*heard}) == 1  # events are hashable: receivers drop repeats


async def test_new_listener_starts_with_the_next_event(store: None) -> None:
    await happens("before")
    late, early = Recorder(), Recorder()

    async with listening(late):
        await happens("after", states=["pending"])
        await eventually(lambda: late.heard)

    assert late.heard == ["after:1"]
    async with listening(early, from_start=True):
        pass  # the listener is not new
    assert early.heard == []


async def test_listener_from_start_gets_all_events(store: None) -> None:
    await happens("before")
    recorder = Recorder()

    async with listening(recorder, from_start=True):
        await eventually(lambda: len(recorder.heard) == 3)


async def test_start_position_can_be_fixed_before_the_start(store: None) -> None:
    await happens("before", states=["pending"])
    recorder = Recorder()
    await EventListener.begin()
    await happens("between", states=["pending"])

    async with listening(recorder):
        await eventually(lambda: recorder.heard)

    assert recorder.heard == ["between:1"]


async def test_orderly_restart_repeats_no_event(database_url: str) -> None:
    first, second = Recorder(), Recorder()
    async with storing(database_url), listening(first, from_start=True):
        await happens("tx", states=["pending", "mined"])
        await eventually(lambda: len(first.heard) == 2)

    async with storing(database_url):
        await write(*life("tx")[2:])
        async with listening(second):
            await eventually(lambda: second.heard)

    assert second.heard == ["tx:3"]


async def test_killed_listener_repeats_unsaved_events(store: None) -> None:
    begun = asyncio.Event()
    recorder = Recorder()

    async def hang(event: Event) -> None:
        if event.tracked.version == 2:
            begun.set()
            await asyncio.Event().wait()

    async with listening(hang):
        await happens("tx")
        await begun.wait()
        pid = GenServer.whereis(LISTENER)
        assert pid is not None
        process.exit(pid, "kill")
    async with listening(recorder):
        await eventually(lambda: len(recorder.heard) >= 2)

    assert recorder.heard[-2:] == ["tx:2", "tx:3"]
    assert recorder.heard in (["tx:1", "tx:2", "tx:3"], ["tx:2", "tx:3"])


async def test_hanging_callback_is_cancelled_at_the_end_and_called_again(store: None) -> None:
    begun = asyncio.Event()
    recorder = Recorder()

    async def hang(_: Event) -> None:
        begun.set()
        await asyncio.Event().wait()

    async with listening(hang):
        await happens("tx", states=["pending"])
        await begun.wait()
        pid = GenServer.whereis(LISTENER)
        assert pid is not None
        process.exit(pid, "shutdown")
    async with listening(recorder):
        await eventually(lambda: recorder.heard)

    assert recorder.heard == ["tx:1"]


async def test_failing_callback_is_retried_and_skips_no_event(
    store: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listener, "_BACKOFF", replace(listener._BACKOFF, initial=0.001))
    calls: list[str] = []

    def on_event(event: Event) -> None:
        calls.append(event.id)
        if len(calls) in (2, 3, 4):
            raise ValueError("odd")

    async with listening(on_event):
        await happens("tx")
        await eventually(lambda: len(calls) == 6)

    assert calls == ["tx:1", "tx:2", "tx:2", "tx:2", "tx:2", "tx:3"]
    assert "on_event failed for tx:2 (attempt 3); retrying" in caplog.text
    assert "odd" in caplog.text


async def test_new_events_do_not_hurry_a_retry(
    store: None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "_BACKOFF", replace(listener._BACKOFF, initial=30.0))
    calls: list[str] = []

    def on_event(event: Event) -> None:
        calls.append(event.id)
        raise ValueError("odd")

    async with listening(on_event):
        await happens("tx", states=["pending"])
        await eventually(lambda: calls)

        await happens("other")
        EventListener.wake()
        await GenServer.call("TransactionTracker.Store", lambda connection: None)

        assert calls == ["tx:1"]
    assert await position() == 0


async def test_long_backlog_is_handled_in_batches(store: None) -> None:
    keys = [f"tx{number:03}" for number in range(250)]
    recorder = Recorder()
    await register(*keys)
    await write(*(event for key in keys for event in life(key, ["pending"])))

    async with listening(recorder, from_start=True):
        await eventually(lambda: len(recorder.heard) == 250)

    assert recorder.heard == [f"{key}:1" for key in keys]
    assert await position() == 250


async def test_paused_deliveries_call_nothing(store: None) -> None:
    recorder = Recorder()
    async with listening(recorder):
        await Store.run(chain.pause_deliveries)
        await happens("tx", states=["pending"])
        await Store.run(chain.resume_deliveries)
        assert recorder.heard == []

        EventListener.wake()
        await eventually(lambda: recorder.heard)


async def test_waking_without_a_listener_does_nothing() -> None:
    EventListener.wake()
