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
    """A callback that remembers what it heard."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def __call__(self, event: Event) -> None:
        self.heard.append(event.id)


async def test_it_hears_whole_events_in_order(store: None) -> None:
    heard: list[Event] = []

    async def on_event(event: Event) -> None:
        await asyncio.sleep(0)
        heard.append(event)

    async with listening(on_event):
        await happens("tx")
        await eventually(lambda: len(heard) == 3)

    assert [Event(one.previous, one.tracked) for one in heard] == life("tx")


async def test_an_event_comes_with_what_was_noted_and_when_it_was_stored(store: None) -> None:
    heard: list[ToldEvent] = []
    before = time.time()

    async with listening(heard.append):
        await register("tx", metadata='{"invoice": 17}')
        await write(life("tx")[0])
        await eventually(lambda: heard)

    assert heard[0].metadata == {"invoice": 17}
    assert before <= heard[0].recorded_at <= time.time()
    assert len({*heard}) == 1  # receivers drop repeats


async def test_a_new_listener_begins_at_the_end_unless_told_otherwise(store: None) -> None:
    await happens("before")
    late, early = Ear(), Ear()

    async with listening(late):
        await happens("after", states=["pending"])
        await eventually(lambda: late.heard)

    assert late.heard == ["after:1"]
    async with listening(early, from_start=True):
        pass  # it is no new one
    assert early.heard == []


async def test_from_the_start_it_hears_everything(store: None) -> None:
    await happens("before")
    ear = Ear()

    async with listening(ear, from_start=True):
        await eventually(lambda: len(ear.heard) == 3)


async def test_a_beginning_can_be_fixed_before_it_starts(store: None) -> None:
    await happens("before", states=["pending"])
    ear = Ear()
    await Listener.begin()
    await happens("between", states=["pending"])

    async with listening(ear):
        await eventually(lambda: ear.heard)

    assert ear.heard == ["between:1"]


async def test_after_an_end_in_order_nothing_is_repeated(database_url: str) -> None:
    first, second = Ear(), Ear()
    async with storing(database_url), listening(first, from_start=True):
        await happens("tx", states=["pending", "mined"])
        await eventually(lambda: len(first.heard) == 2)

    async with storing(database_url):
        await write(*life("tx")[2:])
        async with listening(second):
            await eventually(lambda: second.heard)

    assert second.heard == ["tx:3"]


async def test_killed_in_the_middle_it_tells_again_what_was_not_saved(store: None) -> None:
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


async def test_one_that_hangs_is_cut_off_at_the_end_and_told_again(store: None) -> None:
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


async def test_a_callback_that_fails_is_called_again_and_skips_nothing(
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


async def test_while_it_fails_new_events_do_not_hurry_it(
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


async def test_a_long_backlog_is_told_batch_by_batch(store: None) -> None:
    keys = [f"tx{number:03}" for number in range(250)]
    ear = Ear()
    await register(*keys)
    await write(*(event for key in keys for event in life(key, ["pending"])))

    async with listening(ear, from_start=True):
        await eventually(lambda: len(ear.heard) == 250)

    assert ear.heard == [f"{key}:1" for key in keys]
    assert await position() == 250


async def test_while_frozen_it_is_told_nothing(store: None) -> None:
    ear = Ear()
    async with listening(ear):
        await Store.run(chain.freeze)
        await happens("tx", states=["pending"])
        await Store.run(chain.thaw)
        assert ear.heard == []

        Listener.wake()
        await eventually(lambda: ear.heard)


async def test_waking_one_that_is_not_there_is_no_error() -> None:
    Listener.wake()
