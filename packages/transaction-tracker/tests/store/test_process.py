"""The store as a process: what its callers see."""

import asyncio
import gc
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from beamish import ExitError, GenServer, NoProcessError, StartError, process
from transaction_tracker.store import STORE, Book, Step, Store, Stored, StoreError
from transaction_tracker.store.database import Database

from .support import ELEVEN, SOURCE, TEN, confirmed, mined, seen, tracked


class Announcements:
    """What the store announced, and what its book held at that moment."""

    def __init__(self, book: Book) -> None:
        self.heard: list[Stored] = []
        self.known: list[list[Any]] = []
        self._book = book

    def __call__(self, stored: Stored) -> None:
        self.heard.append(stored)
        self.known.append(list(self._book))


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def announcements(book: Book) -> Announcements:
    return Announcements(book)


@pytest.fixture
async def store(tmp_path: Path, book: Book, announcements: Announcements) -> AsyncIterator[Path]:
    path = tmp_path / "test.db"
    pid = await Store.start(path, book, announcements, name=STORE)
    yield path
    if GenServer.whereis(pid):
        await GenServer.stop(pid)


async def test_the_book_holds_what_was_stored_when_the_writer_hears_of_it(
    store: Path, book: Book
) -> None:
    await Store.register(["tx"], 3)

    assert book.get("tx") == tracked()


async def test_a_change_is_announced_after_it_is_in_the_book_and_before_the_writer_hears(
    store: Path, announcements: Announcements
) -> None:
    await Store.claim(SOURCE)
    await Store.register(["tx"], 3)

    stored = await Store.commit(Step(SOURCE, events=(seen(tracked()),)))

    assert announcements.heard[-1] == stored
    assert announcements.known[-1] == [seen(tracked()).tracked]


async def test_one_that_ended_is_only_in_the_database(store: Path, book: Book) -> None:
    await Store.claim(SOURCE)
    await Store.register(["tx"], 3)
    first = mined(tracked())
    last = confirmed(first.tracked)

    await Store.commit(Step(SOURCE, events=(first, last), applied=TEN, keep=9))

    assert book.get("tx") is None
    assert await Store.fetch("tx") == last.tracked
    assert await Store.history("tx") == [(1, "mined"), (2, "confirmed")]
    assert await Store.fetch("other") is None


async def test_the_tip_goes_with_the_blocks(store: Path, book: Book) -> None:
    await Store.claim(SOURCE)

    await Store.commit(Step(SOURCE, applied=TEN, keep=9))
    await Store.commit(Step(SOURCE, applied=ELEVEN, keep=9))
    await Store.commit(Step(SOURCE, undone=ELEVEN))

    assert book.tip == TEN.ref


async def test_a_restarted_store_goes_on_where_it_was(
    store: Path, book: Book, announcements: Announcements
) -> None:
    await Store.claim(SOURCE)
    await Store.register(["tx"], 3)
    await Store.commit(Step(SOURCE, events=(mined(tracked()),), applied=TEN, keep=9))
    await GenServer.stop(STORE)

    pid = await Store.start(store, book, announcements, name=STORE)

    assert book.get("tx") == mined(tracked()).tracked
    assert await Store.claim(SOURCE) == [TEN]
    assert book.tip == TEN.ref
    await GenServer.stop(pid)


async def test_what_comes_while_the_disk_is_busy_is_written_together(
    store: Path, book: Book
) -> None:
    names = [f"tx{number}" for number in range(500)]

    await asyncio.gather(*(Store.register([name], 3) for name in names))

    assert {one.id for one in book} == set(names)


async def test_work_that_is_under_way_is_finished_before_the_end(
    store: Path, book: Book, announcements: Announcements
) -> None:
    registering = asyncio.create_task(Store.register(["tx"], 3))
    await asyncio.sleep(0)

    await GenServer.stop(STORE)

    with pytest.raises(ExitError):
        await registering
    pid = await Store.start(store, book, announcements, name=STORE)
    assert book.get("tx") is not None
    await GenServer.stop(pid)


async def test_a_refusal_reaches_the_caller_and_hurts_nobody(store: Path) -> None:
    await Store.claim(SOURCE)

    with pytest.raises(StoreError, match="cannot hold ethereum:1"):
        await Store.claim("ethereum:1")

    assert await Store.claim(SOURCE) == []


async def test_a_database_that_cannot_be_opened_is_a_start_error(
    tmp_path: Path, book: Book, announcements: Announcements
) -> None:
    with pytest.raises(StartError) as caught:
        await Store.start(tmp_path / "missing" / "test.db", book, announcements)

    assert isinstance(caught.value.__cause__, StoreError)


async def test_a_failing_database_ends_the_store_and_its_callers_hear_it(
    store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await Store.claim(SOURCE)
    await Store.commit(Step(SOURCE, applied=TEN, keep=9))

    with pytest.raises(ExitError, match="UNIQUE"):
        await Store.commit(Step(SOURCE, applied=TEN, keep=9))

    with pytest.raises(NoProcessError):
        await Store.fetch("tx")


async def test_a_parked_transaction_stays_in_the_book_with_its_error(
    store: Path, book: Book
) -> None:
    await Store.register(["tx"], 3)

    Store.park("tx", "ValueError: odd")

    assert await Store.fetch("tx") == book.get("tx") == tracked(error="ValueError: odd")


async def test_a_killed_store_leaves_neither_thread_nor_file_behind(
    store: Path, book: Book, announcements: Announcements
) -> None:
    await Store.register(["tx"], 3)
    pid = GenServer.whereis(STORE)
    assert pid is not None

    process.exit(pid, "kill")
    del pid
    gc.collect()

    async with asyncio.timeout(5):
        while any(thread.name.startswith("store") for thread in threading.enumerate()):
            await asyncio.sleep(0.001)
    Database(store).close()
