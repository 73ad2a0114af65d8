"""The store as a process, as its callers see it."""

import asyncio
import gc
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from beamish import CallTimeoutError, ExitError, GenServer, NoProcessError, StartError, process
from transaction_tracker.store import (
    STORE,
    DatabaseFailedError,
    OpenTransactions,
    Step,
    Store,
    Stored,
    StoreError,
    registering,
)
from transaction_tracker.store.database import Database
from transaction_tracker.store.pruning import Pruned

from .support import ELEVEN, SOURCE, TEN, confirmed, mined, seen, tracked, wanted


class Announcements:
    """Records what the store announced, with the open transactions at that moment."""

    def __init__(self, open_transactions: OpenTransactions) -> None:
        self.stored: list[Stored] = []
        self.known: list[list[Any]] = []
        self._open_transactions = open_transactions

    async def __call__(self, stored: Stored) -> None:
        self.stored.append(stored)
        self.known.append(list(self._open_transactions))


async def thread_gone() -> None:
    async with asyncio.timeout(50):
        while any(thread.name.startswith("store") for thread in threading.enumerate()):
            await asyncio.sleep(0.001)


@pytest.fixture
def open_transactions() -> OpenTransactions:
    return OpenTransactions()


@pytest.fixture
def announcements(open_transactions: OpenTransactions) -> Announcements:
    return Announcements(open_transactions)


@pytest.fixture
async def store(
    database_url: str, open_transactions: OpenTransactions, announcements: Announcements
) -> AsyncIterator[str]:
    pid = await Store.start(database_url, open_transactions, announcements, name=STORE)
    yield database_url
    if GenServer.whereis(pid):
        await GenServer.stop(pid)


async def test_open_transactions_are_updated_before_the_caller_gets_the_result(
    store: str, open_transactions: OpenTransactions
) -> None:
    await Store.register(wanted("tx"))

    assert open_transactions.get("tx") == tracked()


async def test_change_is_announced_after_the_book_and_before_the_result(
    store: str, announcements: Announcements
) -> None:
    await Store.claim(SOURCE)
    await Store.register(wanted("tx"))

    stored = await Store.commit(Step(SOURCE, events=(seen(tracked()),)))

    assert announcements.stored[-1] == stored
    assert announcements.known[-1] == [seen(tracked()).tracked]


async def test_final_transaction_is_only_in_the_database(
    store: str, open_transactions: OpenTransactions
) -> None:
    await Store.claim(SOURCE)
    await Store.register(wanted("tx"))
    first = mined(tracked())
    last = confirmed(first.tracked)

    await Store.commit(Step(SOURCE, events=(first, last), applied=TEN, keep=9))

    assert open_transactions.get("tx") is None
    assert await Store.fetch("tx") == last.tracked
    assert await Store.history("tx") == [(1, "mined"), (2, "confirmed")]
    assert await Store.fetch("other") is None


async def test_tip_follows_the_blocks(store: str, open_transactions: OpenTransactions) -> None:
    await Store.claim(SOURCE)

    await Store.commit(Step(SOURCE, applied=TEN, keep=9))
    await Store.commit(Step(SOURCE, applied=ELEVEN, keep=9))
    await Store.commit(Step(SOURCE, undone=ELEVEN))

    assert open_transactions.tip == TEN.ref


async def test_restarted_store_loads_its_state(
    store: str, open_transactions: OpenTransactions, announcements: Announcements
) -> None:
    await Store.claim(SOURCE)
    await Store.register(wanted("tx"))
    await Store.commit(Step(SOURCE, events=(mined(tracked()),), applied=TEN, keep=9))
    await GenServer.stop(STORE)

    pid = await Store.start(store, open_transactions, announcements, name=STORE)

    assert open_transactions.get("tx") == mined(tracked()).tracked
    assert await Store.claim(SOURCE) == [TEN]
    assert open_transactions.tip == TEN.ref
    await GenServer.stop(pid)


async def test_work_queued_during_a_write_is_written_together(
    store: str, open_transactions: OpenTransactions
) -> None:
    names = [f"tx{number}" for number in range(500)]

    await asyncio.gather(*(Store.register(wanted(name)) for name in names))

    assert {one.id for one in open_transactions} == set(names)


async def test_work_in_flight_is_finished_before_the_stop(
    store: str, open_transactions: OpenTransactions, announcements: Announcements
) -> None:
    registering = asyncio.create_task(Store.register(wanted("tx")))
    await asyncio.sleep(0)

    await GenServer.stop(STORE)

    with pytest.raises(ExitError):
        await registering
    pid = await Store.start(store, open_transactions, announcements, name=STORE)
    assert open_transactions.get("tx") is not None
    await GenServer.stop(pid)


async def test_error_reaches_only_its_caller(store: str) -> None:
    await Store.claim(SOURCE)

    with pytest.raises(StoreError, match="cannot hold ethereum:1"):
        await Store.claim("ethereum:1")

    assert await Store.claim(SOURCE) == []


async def test_unusable_database_fails_the_start(
    tmp_path: Path, open_transactions: OpenTransactions, announcements: Announcements
) -> None:
    with pytest.raises(StartError) as caught:
        await Store.start(tmp_path / "missing" / "test.db", open_transactions, announcements)

    assert isinstance(caught.value.__cause__, StoreError)


async def test_rejected_row_fails_only_its_own_work(
    store: str, open_transactions: OpenTransactions
) -> None:
    await Store.claim(SOURCE)
    await Store.commit(Step(SOURCE, applied=TEN, keep=9))

    twice = Store.commit(Step(SOURCE, applied=TEN, keep=9))
    others = (Store.register(wanted(f"tx{number}")) for number in range(9))
    refused, *done = await asyncio.gather(twice, *others, return_exceptions=True)

    assert isinstance(refused, DatabaseFailedError)
    assert sum(len(one) for one in done) == len(open_transactions) == 9  # type: ignore[arg-type]


async def test_error_of_work_is_raised_in_its_caller(store: str) -> None:
    def odd(_connection: object) -> None:
        raise KeyError("odd")

    with pytest.raises(KeyError, match="odd"):
        await Store.run(odd)

    assert await Store.fetch("tx") is None


async def test_changes_of_failed_work_are_rolled_back(
    store: str, open_transactions: OpenTransactions
) -> None:
    def work(connection: Connection) -> None:
        registering.register(connection, wanted("tx"))
        raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        await Store.run(work)

    assert await Store.fetch("tx") is None
    assert open_transactions.get("tx") is None


async def test_error_of_work_without_a_caller_is_logged(
    store: str, caplog: pytest.LogCaptureFixture
) -> None:
    def odd(_connection: object) -> None:
        raise KeyError("odd")

    GenServer.cast(STORE, odd)

    assert await Store.fetch("tx") is None
    assert "storing failed: 'odd'" in caplog.text


async def test_full_disk_stops_the_store_and_fails_its_callers(
    tmp_path: Path,
    open_transactions: OpenTransactions,
    announcements: Announcements,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await Store.start(tmp_path / "test.db", open_transactions, announcements, name=STORE)
    await Store.register(wanted("before"))
    await Store.run(
        lambda connection: connection.exec_driver_sql("PRAGMA max_page_count = 1").all()
    )

    with pytest.raises(ExitError, match="database or disk is full"):
        await Store.register(wanted(*(f"tx{number}" for number in range(9_999))))

    with pytest.raises(NoProcessError):
        await Store.fetch("tx")
    pid = await Store.start(tmp_path / "test.db", open_transactions, announcements, name=STORE)
    assert [one.id for one in open_transactions] == ["before"]
    await GenServer.stop(pid)


@pytest.mark.postgres
async def test_lost_server_stops_the_store_and_the_next_one_resumes(
    postgres: Any,
    open_transactions: OpenTransactions,
    announcements: Announcements,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with postgres.database() as url:
        await Store.start(url, open_transactions, announcements, name=STORE)
        await Store.register(wanted("before"))
        postgres.disconnect_all()

        with pytest.raises(ExitError, match="terminat"):
            await Store.register(wanted("tx"))

        pid = await Store.start(url, open_transactions, announcements, name=STORE)
        assert [one.id for one in open_transactions] == ["before"]
        await GenServer.stop(pid)


@pytest.mark.postgres
async def test_start_waits_for_a_database_in_use(
    postgres: Any,
    open_transactions: OpenTransactions,
    announcements: Announcements,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with postgres.database() as url:
        other = Database(url).open()
        starting = asyncio.create_task(Store.start(url, open_transactions, announcements))
        async with asyncio.timeout(50):
            while "in use by another program; retrying" not in caplog.text:
                await asyncio.sleep(0.001)

        other.close()

        await GenServer.stop(await starting)


@pytest.mark.postgres
async def test_start_gives_up_on_a_database_in_use(
    postgres: Any,
    open_transactions: OpenTransactions,
    announcements: Announcements,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with postgres.database() as url:
        other = Database(url).open()

        with pytest.raises(StartError, match="in use by another program"):
            await Store.start(url, open_transactions, announcements, start_seconds=0.05)

        other.close()
        await thread_gone()


async def test_transactions_decided_by_a_block_are_found(store: str) -> None:
    await Store.claim(SOURCE)
    await Store.register(wanted("tx"))
    first = mined(tracked())
    events = (first, confirmed(first.tracked))
    await Store.commit(Step(SOURCE, events, applied=TEN, slots={"slot": "tx"}, keep=9))

    assert await Store.anchored("ten") == [confirmed(first.tracked).tracked]
    assert await Store.recent_slots(SOURCE) == [(TEN, {"slot": "tx"})]


async def test_deliveries_can_be_paused_and_resumed(store: str) -> None:
    await Store.claim(SOURCE)

    await Store.pause_deliveries()

    assert await Store.frozen() is not None
    await Store.resume_deliveries()
    assert await Store.frozen() is None


async def test_finished_transactions_can_be_removed(
    store: str, open_transactions: OpenTransactions
) -> None:
    await Store.register(wanted("tx"))
    first = mined(tracked())
    await Store.commit(Step(SOURCE, (first, confirmed(first.tracked))))

    assert await Store.prune(time.time() + 9) == Pruned(transactions=1, deliveries=0)
    assert await Store.fetch("tx") is None
    assert not open_transactions.census.by_state


async def test_parked_transaction_stays_open_with_its_error(
    store: str, open_transactions: OpenTransactions
) -> None:
    await Store.register(wanted("tx"))

    Store.park("tx", "ValueError: odd")

    assert (
        await Store.fetch("tx") == open_transactions.get("tx") == tracked(error="ValueError: odd")
    )


async def test_killed_store_releases_its_thread_and_file(
    store: str, open_transactions: OpenTransactions, announcements: Announcements
) -> None:
    await Store.register(wanted("tx"))
    pid = GenServer.whereis(STORE)
    assert pid is not None

    process.exit(pid, "kill")
    del pid
    gc.collect()

    await thread_gone()
    Database(store).open().close()


async def test_suspend_of_the_program_does_not_time_out_a_call(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, go_on, began = asyncio.get_running_loop(), threading.Event(), threading.Event()

    def slow(_connection: object) -> str:
        began.set()
        go_on.wait(30)
        return "done"

    asked = asyncio.create_task(Store.run(slow))
    await asyncio.to_thread(began.wait, 30)
    clock = loop.time
    monkeypatch.setattr(loop, "time", lambda: clock() + 1_000.0)  # as it is after a suspend
    for _ in range(10):
        await asyncio.sleep(0)
    go_on.set()

    assert await asked == "done"


async def test_call_to_a_store_that_does_not_answer_times_out(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transaction_tracker.store.process._CALL_TIMEOUT_SECONDS", 0.05)
    go_on = threading.Event()

    with pytest.raises(CallTimeoutError, match=r"within 0\.05 s"):
        await Store.run(lambda _: go_on.wait(30))
    go_on.set()
