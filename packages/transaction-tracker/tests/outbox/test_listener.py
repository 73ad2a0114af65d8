"""The program's own callback: each event at least once, in order."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from beamish import GenServer, process
from transaction_tracker import listener
from transaction_tracker.domain import Event
from transaction_tracker.listener import CONSUMER, LISTENER, Listener, OnEvent, ToldEvent
from transaction_tracker.store import Store, chain, feed

from .conftest import storing
from .support import eventually, happens, life, register, write


@asynccontextmanager
async def listening(on_event: OnEvent, *, from_start: bool = False) -> AsyncIterator[None]:
    pid = await Listener.start(on_event, from_start=from_start, name=LISTENER)
    yield
    if process.is_alive(pid):
        await GenServer.stop(pid)


async def position() -> int:
    return await Store.run(partial(feed.begin, consumer=CONSUMER, from_start=True))


class Ear:
    """A callback that records its events."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def __call__(self, event: Event) -> None:
        self.heard.append(event.id)


async def test_callback_gets_complete_events_in_order(store: None) -> None:
    heard: list[Event] = []

    async def on_event(event: Event) -> None:
        await asyncio.sleep(0)
        heard.append(event)

    async with listening(on_event):
        await happens("tx")
        await eventually(lambda: len(heard) == 3)

    assert [Event(one.previous, one.tracked) for one in heard] == life("tx")


async def test_event_has_its_metadata_and_time_of_recording(store: None) -> None:
    heard: list[ToldEvent] = []
    before = time.time()

    async with listening(heard.append):
        await register("tx", metadata='{"invoice": 17}')
        await write(life("tx")[0])
        await eventually(lambda: heard)

    assert heard[0].metadata == {"invoice": 17}
    assert before <= heard[0].recorded_at <= time.time()
    assert len({*heard}) == 1  # receivers drop repeats


async def test_new_listener_starts_with_the_next_event(store: None) -> None:
    await happens("before")
    late, early = Ear(), Ear()

    async with listening(late):
        await happens("after", states=["pending"])
        await eventually(lambda: late.heard)

    assert late.heard == ["after:1"]
    async with listening(early, from_start=True):
        pass  # it is no new one
    assert early.heard == []


async def test_from_start_begins_with_the_first_event(store: None) -> None:
    await happens("before")
    ear = Ear()

    async with listening(ear, from_start=True):
        await eventually(lambda: len(ear.heard) == 3)


async def test_begin_fixes_the_first_event_before_the_start(store: None) -> None:
    await happens("before", states=["pending"])
    ear = Ear()
    await Listener.begin()
    await happens("between", states=["pending"])

    async with listening(ear):
        await eventually(lambda: ear.heard)

    assert ear.heard == ["between:1"]


async def test_stop_saves_the_position_so_no_event_is_repeated(database_url: str) -> None:
    first, second = Ear(), Ear()
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
    ear = Ear()

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
    async with listening(ear):
        await eventually(lambda: len(ear.heard) >= 2)

    assert ear.heard[-2:] == ["tx:2", "tx:3"]
    assert ear.heard in (["tx:1", "tx:2", "tx:3"], ["tx:2", "tx:3"])


async def test_hanging_callback_is_cancelled_at_shutdown_and_repeated(store: None) -> None:
    begun = asyncio.Event()
    ear = Ear()

    async def hang(_: Event) -> None:
        begun.set()
        await asyncio.Event().wait()

    async with listening(hang):
        await happens("tx", states=["pending"])
        await begun.wait()
        pid = GenServer.whereis(LISTENER)
        assert pid is not None
        process.exit(pid, "shutdown")
    async with listening(ear):
        await eventually(lambda: ear.heard)

    assert ear.heard == ["tx:1"]


async def test_failing_callback_is_retried_and_skips_no_event(
    store: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listener, "_FIRST_PAUSE", 0.001)
    calls: list[str] = []

    def on_event(event: Event) -> None:
        calls.append(event.id)
        if len(calls) in (2, 3, 4):
            raise ValueError("odd")

    async with listening(on_event):
        await happens("tx")
        await eventually(lambda: len(calls) == 6)

    assert calls == ["tx:1", "tx:2", "tx:2", "tx:2", "tx:2", "tx:3"]
    assert "on_event failed for tx:2, for the 3. time" in caplog.text
    assert "odd" in caplog.text


async def test_new_events_do_not_shorten_the_back_off(
    store: None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "_FIRST_PAUSE", 30.0)
    calls: list[str] = []

    def on_event(event: Event) -> None:
        calls.append(event.id)
        raise ValueError("odd")

    async with listening(on_event):
        await happens("tx", states=["pending"])
        await eventually(lambda: calls)

        await happens("other")
        Listener.wake()
        await GenServer.call("TransactionTracker.Store", lambda connection: None)

        assert calls == ["tx:1"]
    assert await position() == 0


async def test_long_backlog_is_handled_in_batches(store: None) -> None:
    keys = [f"tx{number:03}" for number in range(250)]
    ear = Ear()
    await register(*keys)
    await write(*(event for key in keys for event in life(key, ["pending"])))

    async with listening(ear, from_start=True):
        await eventually(lambda: len(ear.heard) == 250)

    assert ear.heard == [f"{key}:1" for key in keys]
    assert await position() == 250


async def test_frozen_deliveries_call_no_callback(store: None) -> None:
    ear = Ear()
    async with listening(ear):
        await Store.run(chain.freeze)
        await happens("tx", states=["pending"])
        await Store.run(chain.thaw)
        assert ear.heard == []

        Listener.wake()
        await eventually(lambda: ear.heard)


async def test_wake_without_a_listener_does_nothing() -> None:
    Listener.wake()
