"""The contract of the store, in memory and on PostgreSQL."""

import asyncio
import itertools
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest

from beamish.cluster import FENCE_SQL, Fence, StoreUnavailableError
from beamish.cluster._store.memory import MemoryStore
from beamish.cluster._store.postgresql import PostgresStore
from beamish.cluster._store.protocol import Child, Name, Store

from . import postgres

_clusters = itertools.count()
LONG = 1000.0  # of a lease that does not end


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    with postgres.running() as running:
        yield running


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.postgres)])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore(time.monotonic)
        return
    opened = PostgresStore(f"c{next(_clusters)}", request.getfixturevalue("server").dsn)
    await opened.prepare(4)
    yield opened
    await opened.close()


@pytest.fixture
async def on_postgres(server: postgres.Server) -> AsyncIterator[tuple[PostgresStore, Any]]:
    name = f"c{next(_clusters)}"
    opened = PostgresStore(name, server.dsn)
    await opened.prepare(4)
    connection = await psycopg.AsyncConnection.connect(server.dsn)
    yield opened, (name, connection)
    await connection.close()
    await opened.close()


def child(key: str, spec: bytes = b"spec") -> Child:
    return Child(Name("r", key), "s", spec)


@pytest.mark.postgres
async def test_clusters_of_one_database_share_nothing(server: postgres.Server) -> None:
    first, second = (PostgresStore(f"c{next(_clusters)}", server.dsn) for _ in range(2))
    for store, shards in ((first, 4), (second, 8)):
        await store.prepare(shards)
        await store.declare("registry", "r", b"%d" % shards)
        assert (await store.claim(0, LONG, "host", "node")).epoch == 1
        assert await store.add(0, 1, [child("a")]) == {Name("r", "a")}
        assert (await store.declarations())[0].options == b"%d" % shards

    assert (await first.claim(0, LONG, "host", "node")).epoch == 2

    assert await second.renew(0, 1, LONG)
    assert not await first.renew(0, 1, LONG)
    assert await first.drop(0, 2, [Name("r", "a")]) == {Name("r", "a")}
    assert [found.name for found in await second.children(SLOTS)] == [Name("r", "a")]
    for store in (first, second):
        await store.close()


# -- Leases


async def test_each_claim_has_a_new_epoch_and_ends_the_one_before(store: Store) -> None:
    first = await store.claim(0, LONG, "host", "node")
    assert (first.epoch, first.wait) == (1, pytest.approx(0, abs=0.01))
    assert await store.renew(0, 1, LONG)

    second = await store.claim(0, LONG, "host", "node")

    assert second.epoch == 2
    assert 0.9 * LONG < second.wait <= LONG
    assert not await store.renew(0, 1, LONG)
    assert await store.renew(0, 2, LONG)
    assert (await store.claim(1, LONG, "host", "node")).epoch == 1


async def test_released_lease_makes_the_next_owner_wait_for_nothing(store: Store) -> None:
    await store.claim(0, LONG, "host", "node")

    await store.release(0, 1)

    assert (await store.claim(0, LONG, "host", "node")).wait == pytest.approx(0, abs=0.01)


async def test_old_owner_releases_nothing(store: Store) -> None:
    await store.claim(0, LONG, "host", "node")
    await store.claim(0, LONG, "host", "node")

    await store.release(0, 1)

    assert (await store.claim(0, LONG, "host", "node")).wait > LONG


async def test_lease_that_is_over_and_that_nobody_claimed_is_renewed(store: Store) -> None:
    await store.claim(0, 0.0, "host", "node")

    assert await store.renew(0, 1, LONG)
    (row,) = await store.shards()
    assert row.lease_left > 0.9 * LONG


# -- Children


async def test_name_is_added_once(store: Store) -> None:
    await store.claim(0, LONG, "host", "node")

    assert await store.add(0, 1, [child("a"), child("b")]) == {Name("r", "a"), Name("r", "b")}
    assert await store.add(0, 1, [child("b", b"other"), child("c")]) == {Name("r", "c")}

    found = await store.children(range(16_384))
    assert sorted(found) == [child("a"), child("b"), child("c")]


async def test_old_epoch_changes_nothing(store: Store) -> None:
    await store.claim(0, LONG, "host", "node")
    await store.add(0, 1, [child("a")])
    await store.claim(0, LONG, "host", "node")

    assert await store.add(0, 1, [child("b")]) is None
    assert await store.drop(0, 1, [Name("r", "a")]) is None
    assert not await store.give_up(0, 1, {Name("r", "a"): "why"})
    assert await store.children(range(16_384)) == [child("a")]


async def test_dropped_names_are_those_that_existed(store: Store) -> None:
    await store.claim(0, LONG, "host", "node")
    await store.add(0, 1, [child("a"), child("b")])

    assert await store.drop(0, 1, [Name("r", "a"), Name("r", "c")]) == {Name("r", "a")}
    assert await store.children(range(16_384)) == [child("b")]


async def test_child_that_was_given_up_is_not_started_and_its_name_is_free(store: Store) -> None:
    await store.claim(0, LONG, "host", "node")
    await store.add(0, 1, [child("a")])

    assert await store.give_up(0, 1, {Name("r", "a"): "crash\0ed"})
    assert await store.children(range(16_384)) == []
    assert await store.add(0, 1, [child("a", b"new")]) == {Name("r", "a")}
    assert await store.children(range(16_384)) == [child("a", b"new")]


# -- States


NAME = Name("r", "a")
SLOTS = range(16_384)


async def claimed(store: Store, epoch: int) -> None:
    """Claim the shard until it has this epoch."""
    while (await store.claim(0, LONG, "host", "node")).epoch < epoch:
        pass


async def test_state_is_taken_by_the_next_epoch_that_asks(store: Store) -> None:
    await claimed(store, 1)
    await store.add(0, 1, [child("a"), child("b")])
    assert await store.hand_over(0, 1, {NAME: b"state", Name("r", "unknown"): b""})
    assert sorted(await store.children(SLOTS)) == [
        child("a")._replace(has_state=True),
        child("b"),
    ]
    await claimed(store, 3)

    names = [NAME, Name("r", "b")]
    assert await store.take_states(0, 3, names) == {NAME: b"state"}
    assert await store.take_states(0, 3, names) == {NAME: b"state"}  # the answer was lost


async def test_state_that_was_taken_is_not_taken_by_a_later_epoch(store: Store) -> None:
    await claimed(store, 1)
    await store.add(0, 1, [child("a")])
    await store.hand_over(0, 1, {NAME: b"state"})
    await store.take_states(0, 1, [NAME])
    await claimed(store, 2)

    assert await store.take_states(0, 2, [NAME]) == {}
    assert await store.hand_over(0, 2, {NAME: b"newer"})
    await claimed(store, 3)
    assert await store.take_states(0, 3, [NAME]) == {NAME: b"newer"}


async def test_states_that_were_taken_are_deleted(store: Store) -> None:
    await claimed(store, 1)
    await store.add(0, 1, [child("a"), child("b")])
    await store.hand_over(0, 1, {NAME: b"state", Name("r", "b"): b"not taken"})
    await store.take_states(0, 1, [NAME])

    assert await store.forget_states(0, 1, range(0))
    assert await store.take_states(0, 1, [NAME]) == {NAME: b"state"}
    assert await store.forget_states(0, 1, SLOTS)

    assert await store.take_states(0, 1, [NAME, Name("r", "b")]) == {Name("r", "b"): b"not taken"}


async def test_old_epoch_neither_hands_over_nor_takes(store: Store) -> None:
    await claimed(store, 1)
    await store.add(0, 1, [child("a")])
    await store.hand_over(0, 1, {NAME: b"state"})
    await claimed(store, 2)

    assert not await store.hand_over(0, 1, {NAME: b"old"})
    assert await store.take_states(0, 1, [NAME]) is None
    assert not await store.forget_states(0, 1, SLOTS)
    assert await store.take_states(0, 2, [NAME]) == {NAME: b"state"}


async def test_new_child_of_a_name_has_no_state(store: Store) -> None:
    await claimed(store, 1)
    await store.add(0, 1, [child("a")])
    await store.hand_over(0, 1, {NAME: b"state"})
    await store.give_up(0, 1, {NAME: "why"})
    await store.add(0, 1, [child("a")])

    assert await store.take_states(0, 1, [NAME]) == {}


async def test_children_are_those_of_the_slots(store: Store) -> None:
    await store.claim(0, LONG, "host", "node")
    keys = [f"key-{number}" for number in range(50)]
    await store.add(0, 1, [child(key) for key in keys])

    halves = [await store.children(slots) for slots in (range(8_192), range(8_192, 16_384))]

    assert sorted(row.name.key for half in halves for row in half) == sorted(keys)
    assert all(halves)


async def test_last_declaration_counts(store: Store) -> None:
    await store.declare("supervisor", "s", b"1")
    await store.declare("registry", "r", b"")
    await store.declare("supervisor", "s", b"2")

    assert [tuple(row) for row in await store.declarations()] == [
        ("registry", "r", b""),
        ("supervisor", "s", b"2"),
    ]


async def test_number_of_shards_changes_only_while_no_host_runs(store: Store) -> None:
    await store.prepare(4)
    await store.prepare(6)
    await store.claim(0, LONG, "host", "node")

    with pytest.raises(ValueError, match="6 shards; got shards=4"):
        await store.prepare(4)
    await store.prepare(6)
    await store.release(0, 1)
    await store.prepare(4)


# -- PostgreSQL only


@pytest.mark.postgres
async def test_claim_waits_for_a_fenced_transaction_and_a_renewal_does_not(
    on_postgres: tuple[PostgresStore, Any],
) -> None:
    store, (name, connection) = on_postgres
    await store.claim(0, LONG, "host", "node")
    fence = Fence(name, 0, 1)._asdict()
    assert await (await connection.execute(FENCE_SQL, fence)).fetchone() is not None

    assert await store.renew(0, 1, 20.0)
    other = PostgresStore(name, connection.info.dsn)
    claim = asyncio.ensure_future(other.claim(0, LONG, "host", "node"))
    assert not (await asyncio.wait([claim], timeout=1.0))[0]
    await connection.commit()

    assert (await claim).epoch == 2
    assert await (await connection.execute(FENCE_SQL, fence)).fetchone() is None
    await other.close()


@pytest.mark.postgres
async def test_fenced_transaction_of_a_host_that_is_gone_is_ended(
    on_postgres: tuple[PostgresStore, Any],
) -> None:
    store, (name, connection) = on_postgres
    await store.claim(0, 0.0, "host", "node")
    await connection.execute(FENCE_SQL, Fence(name, 0, 1)._asdict())

    other = PostgresStore(name, connection.info.dsn)
    assert (await other.claim(0, LONG, "host", "node")).epoch == 2

    with pytest.raises(psycopg.OperationalError):
        await connection.execute("select 1")
    await other.close()


@pytest.mark.postgres
async def test_claims_at_the_same_time_get_different_epochs(server: postgres.Server) -> None:
    name = f"c{next(_clusters)}"
    stores = [PostgresStore(name, server.dsn) for _ in range(5)]
    await asyncio.gather(*(store.prepare(4) for store in stores))

    for _ in range(5):
        claims = await asyncio.gather(*(store.claim(0, 0.0, "host", "node") for store in stores))
        epochs = sorted(claim.epoch for claim in claims)
        assert epochs == list(range(epochs[0], epochs[0] + 5))

    for store in stores:
        await store.close()


@pytest.mark.postgres
async def test_connection_that_is_lost_is_made_again(server: postgres.Server) -> None:
    store = PostgresStore(f"c{next(_clusters)}", server.dsn)
    await store.prepare(4)
    await store.claim(0, LONG, "host", "node")
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where application_name like 'beamish %' and pid <> pg_backend_pid()"
        )

    with pytest.raises(StoreUnavailableError):
        await store.renew(0, 1, LONG)
    assert await store.renew(0, 1, LONG)
    await store.close()


@pytest.mark.postgres
async def test_renewal_that_gets_no_answer_ends_after_its_time(server: postgres.Server) -> None:
    store = PostgresStore(f"c{next(_clusters)}", server.dsn)
    await store.prepare(4)
    await store.claim(0, LONG, "host", "node")
    backend = store._renewals.backend
    assert backend is not None
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        assert connection.info.backend_pid != backend
    os.kill(backend, signal.SIGSTOP)
    try:
        with pytest.raises(StoreUnavailableError, match=r"within 0\.5 s"):
            await store.renew(0, 1, 0.5)
        assert await store.renew(0, 1, LONG)
    finally:
        os.kill(backend, signal.SIGCONT)
    await store.close()


@pytest.mark.postgres
async def test_error_shows_no_password(server: postgres.Server) -> None:
    dsn = server.dsn.replace("postgres@", "nobody:secret@").replace("/postgres?", "/nothing?")
    store = PostgresStore("c", dsn)

    with pytest.raises(StoreUnavailableError) as caught:
        await store.prepare(4)

    assert "secret" not in str(caught.value)


@pytest.mark.postgres
async def test_status_counts_the_children_of_each_shard(server: postgres.Server) -> None:
    store = PostgresStore(f"c{next(_clusters)}", server.dsn)
    await store.prepare(2)
    for shard in range(2):
        await store.claim(shard, LONG, f"host {shard}", "node")
        await store.add(shard, 1, [child(f"key-{number}") for number in range(20)])

    first, second = await store.shards()

    assert first.running + second.running == 20
    assert (first.shard, first.epoch, first.host, first.node) == (0, 1, "host 0", "node")
    await store.close()
