"""The lease with which one of several programs owns a PostgreSQL database."""

import asyncio
import gc
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, text

from beamish import Down, GenServer, StartError, process
from transaction_tracker.store import (
    STORE,
    LeaseHolder,
    NotOwnerError,
    OpenTransactions,
    Store,
    StoreError,
    UnavailableError,
    lease,
    lease_row,
)
from transaction_tracker.store.control_connection import ControlConnection
from transaction_tracker.store.database import Database
from transaction_tracker.store.lease import LeaseWatch
from transaction_tracker.store.owned import unlimited, while_owned

from ..postgres import Postgres  # noqa: TID252
from ..silence import line_to  # noqa: TID252
from .support import wanted
from .test_process import Announcements

PATIENCE = 50.0
# Long enough that no test waits for its end, however slow the machine is.
LONG = 300.0
SHORT = 3.0

postgres_only = pytest.mark.postgres


@pytest.fixture
def url(postgres: Postgres) -> Iterator[str]:
    with postgres.database() as url:
        yield url


@pytest.fixture
def sql(url: str) -> Iterator[Callable[..., Any]]:
    """Run a statement on another connection, and return its first value."""
    with psycopg.connect(url, autocommit=True) as connection:

        def run(statement: str) -> Any:
            cursor = connection.execute(statement)  # type: ignore[call-overload]
            row = cursor.fetchone() if cursor.description else None
            return None if row is None else row[0]

        yield run


def opened(url: str, seconds: float = LONG, **options: Any) -> Database:
    """Open a database as another program would."""
    return Database(url, LeaseHolder(seconds, options.pop("address", None)), **options).open()


def wait_until(condition: Callable[[], object]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


EXPIRE = "UPDATE owner SET expires = clock_timestamp() - interval '1 s'"
OTHER_CLAIM = "UPDATE owner SET epoch = epoch + 1, holder = 'another'"
EPOCH = "SELECT epoch FROM owner"
LEFT = "SELECT extract(epoch FROM expires - clock_timestamp())::float FROM owner"


@postgres_only
def test_epoch_counts_successful_opens_only(url: str, sql: Callable[..., Any]) -> None:
    first = opened(url)
    for _ in range(3):
        with pytest.raises(NotOwnerError, match="in use by another program"):
            opened(url)
    first.close()

    opened(url).close()

    assert sql(EPOCH) == 2


@postgres_only
def test_closed_database_is_free_at_once(url: str) -> None:
    opened(url).close()

    opened(url).close()


@postgres_only
def test_program_takes_over_from_its_own_killed_store(url: str, sql: Callable[..., Any]) -> None:
    holder = LeaseHolder(LONG)
    killed = Database(url, holder).open()
    successor = Database(url, holder).open()

    with pytest.raises(NotOwnerError):
        killed.run([lambda _: None])
    killed.close()

    successor.run([lambda _: None])
    assert not holder.is_refused
    assert holder.owned_for() > 0
    assert sql(EPOCH) == 2
    successor.close()


@postgres_only
def test_programs_with_and_without_a_lease_exclude_each_other(url: str) -> None:
    shared = opened(url)
    with pytest.raises(UnavailableError, match="in use by another program"):
        Database(url).open()
    shared.close()

    alone = Database(url).open()
    watch = LeaseWatch(alone.url, LeaseHolder(LONG))
    assert not watch.look().is_gone
    with pytest.raises(UnavailableError, match="in use by another program"):
        opened(url)
    alone.close()
    # The server notices the end of a connection later than the program.
    wait_until(lambda: watch.look().is_gone)
    watch.close()


@postgres_only
def test_new_database_can_be_claimed_by_a_lease(postgres: Postgres) -> None:
    with postgres.database(template="template0") as url:
        watch = LeaseWatch(Database(url).url, LeaseHolder(LONG))
        assert watch.look().is_gone

        database = opened(url, address="https://a.example")

        owner = watch.look()
        assert (owner.is_gone, owner.address) == (False, "https://a.example")
        watch.close()
        database.close()


@postgres_only
def test_transaction_of_a_deposed_owner_writes_nothing(url: str, sql: Callable[..., Any]) -> None:
    database = opened(url)
    sql(OTHER_CLAIM)

    with pytest.raises(NotOwnerError, match="another program has taken it over"):
        database.run([lambda c: c.execute(text("UPDATE counters SET value = 17"))])

    assert sql("SELECT count(*) FROM counters WHERE value = 17") == 0
    database.close()


@postgres_only
def test_deposed_owner_is_told_and_ends_nothing_of_its_successor(
    url: str, sql: Callable[..., Any]
) -> None:
    lost = threading.Event()
    holder = LeaseHolder(SHORT)
    database = Database(url, holder, lost.set).open()
    sql(OTHER_CLAIM)
    sql(f"UPDATE owner SET seconds = {LONG}, expires = clock_timestamp() + interval '{LONG} s'")

    assert lost.wait(PATIENCE)

    assert holder.owned_for() == 0
    assert holder.is_refused
    database.close()
    assert sql(LEFT) > LONG / 2


@postgres_only
def test_lease_that_ran_out_and_was_not_claimed_goes_on(url: str, sql: Callable[..., Any]) -> None:
    database = opened(url, SHORT)
    sql(EXPIRE)

    database.run([lambda _: None])

    wait_until(lambda: sql(LEFT) > 0)
    assert sql(EPOCH) == 1
    database.close()


@postgres_only
def test_long_transaction_does_not_lose_the_lease(url: str, sql: Callable[..., Any]) -> None:
    database = opened(url, SHORT)
    lefts = []

    def sleep(connection: Connection) -> None:
        connection.execute(text("SELECT pg_sleep(4)"))

    working = threading.Thread(target=database.run, args=([sleep],))
    working.start()
    while working.is_alive():
        lefts.append(sql(LEFT))
        with pytest.raises(NotOwnerError):
            opened(url, SHORT)

    assert min(lefts) > 0
    assert sql(EPOCH) == 1
    database.close()


@postgres_only
def test_claim_waits_for_a_transaction_of_the_owner_and_a_renewal_does_not(
    url: str, sql: Callable[..., Any]
) -> None:
    database = opened(url)
    epoch = sql(EPOCH)

    def work(connection: Connection) -> None:
        assert other.run(lease_row.renew, epoch)
        # A claim is an update of the key, which the fence holds up; FOR UPDATE is its lock.
        with pytest.raises(psycopg.errors.LockNotAvailable):
            sql("SELECT 1 FROM owner FOR UPDATE NOWAIT")
        assert connection.scalar(text("SELECT 1")) == 1

    other = ControlConnection(database.url, "other", PATIENCE)
    (result,) = database.run([work])

    assert result is None
    other.close()
    database.close()


@postgres_only
def test_refused_claim_locks_nothing(url: str, sql: Callable[..., Any]) -> None:
    database = opened(url)
    other = ControlConnection(database.url, "other", PATIENCE)

    assert other.run(lease_row.claim, "other", LONG, None) is None

    # The program of this connection is frozen from here on.
    assert sql("SELECT 1 FROM owner FOR UPDATE NOWAIT") == 1
    other.close()
    database.close()


@postgres_only
def test_owner_that_is_frozen_in_a_transaction_is_replaced(
    url: str, sql: Callable[..., Any]
) -> None:
    frozen = Database(url, holder := LeaseHolder(LONG)).open()

    def freeze(connection: Connection) -> None:
        connection.execute(text("UPDATE counters SET value = 17"))
        sql(EXPIRE)
        with pytest.raises(UnavailableError, match="a transaction of its last owner had not ended"):
            opened(url)
        wait_until(lambda: not sql(others))
        successors.append(opened(url))

    successors: list[Database] = []
    others = (
        "SELECT count(*) FROM pg_stat_activity "
        f"WHERE application_name = 'txtrack {holder.id}' AND state LIKE 'idle in transaction%'"
    )
    with pytest.raises(StoreError):
        frozen.run([freeze])

    (successor,) = successors
    assert sql(EPOCH) == 2
    assert sql("SELECT count(*) FROM counters WHERE value = 17") == 0
    successor.run([lambda _: None])
    frozen.close()
    successor.close()


@postgres_only
def test_claim_ends_no_transaction_of_an_owner_whose_lease_lasts(
    url: str, sql: Callable[..., Any]
) -> None:
    database = opened(url)

    def work(_: Connection) -> str:
        with pytest.raises(NotOwnerError):
            opened(url)
        return "done"

    assert database.run([work]) == ["done"]
    database.close()


@postgres_only
def test_of_several_claimants_one_wins(url: str, sql: Callable[..., Any]) -> None:
    rounds, programs = 10, 3
    winners: Counter[int] = Counter()
    start = threading.Barrier(programs)

    def claim() -> None:
        for number in range(rounds):
            start.wait(PATIENCE)
            try:
                database = opened(url)
            except (NotOwnerError, UnavailableError):
                database = None
            start.wait(PATIENCE)
            if database is not None:
                winners[number] += 1
                database.close()

    threads = [threading.Thread(target=claim) for _ in range(programs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert winners == Counter(range(rounds))
    assert sql(EPOCH) == rounds


@postgres_only
def test_lease_beyond_a_clock_that_was_set_back_is_over(url: str, sql: Callable[..., Any]) -> None:
    database = opened(url)
    sql("UPDATE owner SET expires = clock_timestamp() + interval '1 h'")

    opened(url).close()
    database.close()


@postgres_only
def test_longer_lease_than_that_of_the_standby_is_not_over(url: str) -> None:
    database = opened(url, 10 * SHORT)

    with pytest.raises(NotOwnerError):
        opened(url, SHORT)

    database.close()


@postgres_only
async def test_lease_is_uncertain_while_the_server_is_silent_and_goes_on_afterwards(
    postgres: Postgres,
) -> None:
    holder = LeaseHolder(SHORT)
    async with line_to(postgres) as line:
        with postgres.database() as direct:
            database = Database(line.url(direct), holder)
            await asyncio.to_thread(database.open)
            assert holder.owned_for() > 0

            line.fall_silent()
            await asyncio.to_thread(wait_until, lambda: holder.owned_for() == 0)
            line.speak()

            await asyncio.to_thread(wait_until, lambda: holder.owned_for() > 0)
            await asyncio.to_thread(database.close)


@postgres_only
def test_lease_is_certain_for_less_than_it_lasts(
    url: str, sql: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # From the moment at which the claim began: the answer can be late.
    now = [1000.0]
    monkeypatch.setattr(lease, "_now", lambda: now[0])
    holder = LeaseHolder(LONG)
    database = Database(url, holder).open()

    assert 0 < holder.owned_for() < sql(LEFT)
    now[0] += LONG

    assert holder.owned_for() == 0
    database.close()


@postgres_only
async def test_store_exits_when_another_program_takes_over(
    url: str, sql: Callable[..., Any]
) -> None:
    open_transactions = OpenTransactions()
    announce = Announcements(open_transactions)
    async with process.attach():
        pid = await Store.start(url, open_transactions, announce, holder=LeaseHolder(SHORT))
        process.monitor(pid)

        sql(OTHER_CLAIM)

        down = await process.receive(PATIENCE, lambda message: isinstance(message, Down))
    assert isinstance(down.reason, NotOwnerError)


@postgres_only
async def test_start_does_not_wait_for_the_lease_of_another_program(url: str) -> None:
    database = await asyncio.to_thread(opened, url)
    open_transactions = OpenTransactions()

    with pytest.raises(StartError) as caught:
        await Store.start(
            url,
            open_transactions,
            Announcements(open_transactions),
            holder=LeaseHolder(SHORT),
            start_seconds=10 * PATIENCE,
        )

    assert isinstance(caught.value.__cause__, NotOwnerError)
    await asyncio.to_thread(database.close)


@postgres_only
async def test_killed_store_releases_its_lease(url: str, sql: Callable[..., Any]) -> None:
    open_transactions = OpenTransactions()
    announce = Announcements(open_transactions)
    pid = await Store.start(url, open_transactions, announce, holder=LeaseHolder(LONG), name=STORE)
    await Store.register(wanted("tx"))

    process.exit(pid, "kill")
    del pid

    async with asyncio.timeout(PATIENCE):
        while sql("SELECT expires > clock_timestamp() FROM owner"):
            gc.collect()
            await asyncio.sleep(0.01)
    assert GenServer.whereis(STORE) is None


def test_lease_needs_postgresql(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a lease needs a PostgreSQL database, got .*test\.db"):
        Database(tmp_path / "test.db", LeaseHolder(LONG))


async def test_block_is_cancelled_when_the_lease_is_uncertain() -> None:
    left = [math.nextafter(0, 1)]
    entered = asyncio.Event()

    async def block() -> None:
        async with while_owned(lambda: left[0]):
            entered.set()
            await asyncio.get_running_loop().create_future()

    waiting = asyncio.create_task(block())
    await entered.wait()
    left[0] = 0.0

    async with asyncio.timeout(PATIENCE):
        with pytest.raises(NotOwnerError):
            await waiting


async def test_block_without_the_lease_is_not_entered() -> None:
    with pytest.raises(NotOwnerError):
        async with while_owned(lambda: 0.0):
            pytest.fail("entered")


async def test_block_goes_on_while_the_lease_is_renewed() -> None:
    ends = [asyncio.get_running_loop().time() + 0.05]
    renewals = 0

    def owned_for() -> float:
        nonlocal renewals
        renewals += 1
        ends[0] += 0.05
        return ends[0] - asyncio.get_running_loop().time()

    async with while_owned(owned_for):
        while renewals < 5:
            await asyncio.sleep(0.01)


async def test_own_timeout_of_a_block_is_not_the_lease() -> None:
    with pytest.raises(TimeoutError):
        async with while_owned(lambda: LONG), asyncio.timeout(0):
            await asyncio.get_running_loop().create_future()


async def test_without_a_lease_a_block_has_no_timer() -> None:
    async with while_owned(unlimited):
        assert asyncio.current_task() is not None
    assert math.isinf(unlimited())


@postgres_only
def test_claims_and_renewals_are_counted(url: str, sql: Callable[..., Any]) -> None:
    holder = LeaseHolder(SHORT)
    assert (holder.epoch, holder.claims) == (0, 0)
    Database(url, LeaseHolder(LONG)).open().close()

    database = Database(url, holder).open()
    wait_until(lambda: holder.renewals >= 2)

    assert (holder.epoch, holder.claims, sql(EPOCH)) == (2, 1, 2)
    assert holder.failed_renewals == 0
    database.close()


@postgres_only
async def test_renewal_without_a_response_is_counted_as_failed(
    postgres: Postgres, url: str
) -> None:
    async with line_to(postgres) as line:
        holder = LeaseHolder(SHORT)
        database = await asyncio.to_thread(Database(line.url(url), holder).open)
        line.fall_silent()

        await asyncio.to_thread(wait_until, lambda: holder.failed_renewals)

        line.speak()
        await asyncio.to_thread(database.close)
