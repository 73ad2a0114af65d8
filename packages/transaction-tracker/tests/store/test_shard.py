"""Shards in one PostgreSQL database: each in its own schema, and never as another shard."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, text

from transaction_tracker.domain.sharding import Shard, ShardMap
from transaction_tracker.domain.webhook_endpoint import WebhookSecret
from transaction_tracker.store import (
    LeaseHolder,
    NotOwnerError,
    StoreError,
    UnavailableError,
    migrate,
    registering,
)
from transaction_tracker.store import endpoints as stored
from transaction_tracker.store.database import Database
from transaction_tracker.store.errors import DatabaseUrlError
from transaction_tracker.store.lease import LeaseWatch
from transaction_tracker.store.reading import load_some
from transaction_tracker.store.upgrade import pending_revisions
from transaction_tracker.store.url import DatabaseUrl

from ..databases import Run  # noqa: TID252
from ..postgres import Postgres  # noqa: TID252
from .support import wanted

postgres_only = pytest.mark.postgres
FOUR = ShardMap((4,))
LONG = 300.0


@pytest.fixture
def url(postgres: Postgres) -> Iterator[str]:
    with postgres.database(template="template0") as url:
        yield url


def shard(url: str, number: int, *counts: int) -> DatabaseUrl:
    return DatabaseUrl.of(url).of_shard(Shard(number, ShardMap(counts or (4,))))


def registered(database: Database, *ids: str) -> list[str]:
    """Return those of the transactions that a database has."""

    def load(connection: Connection) -> Any:
        return [tracked.id for tracked in load_some(connection, ids)]

    (found,) = database.run([load])
    return sorted(found)


@postgres_only
def test_shards_of_one_database_share_nothing(url: str) -> None:
    databases = [Database(shard(url, number)).open() for number in range(4)]

    for number, database in enumerate(databases):
        database.run(
            [lambda connection, n=number: registering.register(connection, wanted(f"t{n}"))]
        )

    ids = [f"t{number}" for number in range(4)]
    assert [registered(database, *ids) for database in databases] == [[each] for each in ids]
    for database in databases:
        database.close()


@postgres_only
def test_each_shard_has_a_lease_of_its_own(url: str) -> None:
    first = Database(shard(url, 0), LeaseHolder(LONG)).open()
    second = Database(shard(url, 1), LeaseHolder(LONG)).open()

    with pytest.raises(NotOwnerError):
        Database(shard(url, 0), LeaseHolder(LONG)).open()

    for database in (first, second):
        database.close()


@postgres_only
def test_program_without_a_lease_excludes_those_of_its_shard_only(url: str) -> None:
    alone = Database(shard(url, 0)).open()
    Database(shard(url, 1), LeaseHolder(LONG)).open().close()

    with pytest.raises(UnavailableError, match="another program"):
        Database(shard(url, 0), LeaseHolder(LONG)).open()

    for number, is_gone in ((0, False), (1, True)):
        watch = LeaseWatch(shard(url, number), LeaseHolder(LONG))
        assert watch.look().is_gone is is_gone
        watch.close()
    alone.close()


@postgres_only
@pytest.mark.parametrize(
    ("counts", "advice"),
    [
        ((8,), r"has 4 shards, got 8 shards; to grow, set shard.former_counts = \[4\]"),
        ((8, 2), r"got 8 shards \(formerly \(2,\)\); to grow, set shard.former_counts = \[4\]"),
        ((2,), "cannot be reduced"),
        ((4, 2), r"set shard.former_counts = \[\]"),
    ],
)
def test_other_number_of_shards_is_refused(url: str, counts: tuple[int, ...], advice: str) -> None:
    migrate(shard(url, 1, 4))

    with pytest.raises(StoreError, match=advice):
        Database(shard(url, 1, *counts)).open()

    migrate(shard(url, 1, 4))


@postgres_only
def test_service_grows_and_does_not_shrink_again(url: str) -> None:
    migrate(shard(url, 1, 4))

    migrate(shard(url, 1, 8, 4))
    migrate(shard(url, 5, 8, 4))

    with pytest.raises(StoreError, match="cannot be reduced"):
        migrate(shard(url, 1, 4))


@postgres_only
def test_schema_of_another_shard_is_refused_and_stays_as_it_is(url: str) -> None:
    migrate(shard(url, 1))
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER SCHEMA txtrack_1 RENAME TO txtrack_2")

    with pytest.raises(StoreError, match="txtrack_2 is that of shard 1, not 2"):
        migrate(shard(url, 2))


@postgres_only
def test_service_without_shards_does_not_open_the_schema_of_a_shard(url: str) -> None:
    migrate(shard(url, 1))

    with pytest.raises(StoreError, match=r"that of shard 1/4; set shard\.number"):
        migrate(f"{url}&options=-csearch_path%3Dtxtrack_1")


@postgres_only
def test_tables_of_a_service_without_shards_do_not_become_a_shard(url: str) -> None:
    migrate(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER SCHEMA public RENAME TO txtrack_0")

    with pytest.raises(StoreError, match="a service without shards"):
        migrate(shard(url, 0))


@postgres_only
def test_database_that_compares_otherwise_is_refused(postgres: Postgres, url: str) -> None:
    name = "test_collation"
    create = f"CREATE DATABASE {name} LOCALE_PROVIDER icu ICU_LOCALE 'en' TEMPLATE template0"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(create)  # type: ignore[call-overload]
    try:
        with pytest.raises(StoreError, match="compares text by code points"):
            migrate(shard(postgres.url(name), 0))
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[call-overload]


@postgres_only
def test_schema_that_exists_needs_no_right_to_create_one(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS shard_user")
        connection.execute("CREATE ROLE shard_user LOGIN")
        connection.execute("CREATE SCHEMA txtrack_0 AUTHORIZATION shard_user")
    try:
        migrate(shard(url.replace("postgres@", "shard_user@"), 0))
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP OWNED BY shard_user CASCADE")
            connection.execute("DROP ROLE shard_user")


@postgres_only
def test_pending_migrations_of_a_new_shard_are_all(url: str) -> None:
    assert pending_revisions(shard(url, 0)) == pending_revisions("/nowhere/missing.db")

    migrate(shard(url, 0))

    assert pending_revisions(shard(url, 0)) == []


@postgres_only
def test_options_of_the_connection_are_kept(url: str) -> None:
    database = Database(shard(f"{url}&options=-cwork_mem%3D7MB", 0)).open()

    def show(name: str) -> Callable[[Connection], Any]:
        return lambda connection: connection.scalar(text(f"SHOW {name}"))

    assert database.run([show("work_mem"), show("search_path")]) == ["7MB", "txtrack_0"]
    database.close()


def test_shard_needs_postgresql() -> None:
    with pytest.raises(DatabaseUrlError, match="a shard requires a PostgreSQL database"):
        shard("transactions.db", 0)


def test_url_shows_the_schema() -> None:
    url = shard("postgresql://user:secret@host/name", 3)

    assert str(url) == "postgresql://host/name schema txtrack_3"
    assert url != DatabaseUrl.of("postgresql://user:secret@host/name")


def test_endpoint_of_several_shards_is_stored_once_with_its_id(run: Run) -> None:
    secret, other = WebhookSecret.generate(), WebhookSecret.generate()
    name = stored.new_id()

    run(stored.add, "https://a.example", secret, None, endpoint_id=name)
    again = run(stored.add, "https://b.example", secret, ["confirmed"], endpoint_id=name)
    with pytest.raises(StoreError, match="belongs to another endpoint"):
        run(stored.add, "https://c.example", other, None, endpoint_id=name)

    assert run(stored.load_all) == [again]
    assert (again.id, again.url, again.states) == (name, "https://b.example", ("confirmed",))
