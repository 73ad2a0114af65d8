"""Migrations from the tables of each older version, with their rows."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, NullPool, create_engine, inspect, text
from sqlalchemy.exc import IntegrityError

from transaction_tracker.domain import BlockRef, Link, Outcome, Sighting, Tracked
from transaction_tracker.store import (
    DatabaseUrl,
    StoreError,
    chain,
    endpoints,
    feed,
    migrate,
    migrations,
    pending_revisions,
    reading,
)
from transaction_tracker.store.database import Database
from transaction_tracker.store.schema import metadata

from .support import SOURCE, TEN, commit, mined

VERSION_0_1 = (Path(__file__).parent / "version_0_1.sql").read_text()
SCRIPTS = Path(migrations.__file__).parent

REVISIONS = [f"{number:04}" for number in range(1, 13)]

ROWS = """
INSERT INTO transactions VALUES
    ('open', 3, 'mined', 2, 'slot', 'content', 10, 'ten', 1, '21', NULL, NULL, NULL, NULL, 1, 2),
    ('parked', 12, 'pending', 1, 's', 'c', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'E: x', 3, 4),
    ('over', 1, 'replaced', 2, 's', 'c', 10, 'ten', NULL, NULL, NULL, 'w', 'repriced', NULL, 5, 6);
INSERT INTO blocks VALUES ('ethereum:31337', 10, 'ten', 'nine');
INSERT INTO cursors VALUES ('ethereum:31337', 10, 'ten');
INSERT INTO events VALUES
    (3, 'open', 1, 'registered', 'pending', NULL, NULL, NULL, NULL, 1.5),
    (7, 'open', 2, 'pending', 'mined', 10, 'ten', NULL, NULL, 2.5);
"""


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, database_url: str) -> Iterator[str]:
    """A database without tables."""
    if database_url.startswith("sqlite"):
        yield database_url
        return
    server = request.getfixturevalue("postgres")
    with server.database(template="template0") as url:
        yield url


@pytest.fixture
def old_file(tmp_path: Path) -> Path:
    """A database of version 0.1."""
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(VERSION_0_1 + ROWS)
    return path


@contextmanager
def connected(url: str | Path) -> Iterator[Connection]:
    engine = create_engine(DatabaseUrl.of(url).reveal(), poolclass=NullPool)
    with engine.begin() as connection:
        yield connection


def upgrade(url: str, to: str) -> None:
    with connected(url) as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(SCRIPTS))
        command.upgrade(config, to)


def differences(url: str) -> list[Any]:
    """Return the differences between the tables of a database and the program's schema."""
    with connected(url) as connection:
        # Alembic reads an empty default text of SQLite as no default.
        defaults = connection.dialect.name == "postgresql"
        context = MigrationContext.configure(connection, opts={"compare_server_default": defaults})
        return compare_metadata(context, metadata)


def checks(url: str) -> dict[str, dict[str, set[str]]]:
    """Return the values that each check constraint allows; Alembic does not compare them."""
    with connected(url) as connection:
        inspector = inspect(connection)
        return {
            table: {
                str(constraint["name"]): set(constraint["sqltext"].split("'")[1::2])
                for constraint in inspector.get_check_constraints(table)
            }
            for table in metadata.tables
        }


def test_new_database_has_the_current_schema(empty_url: str) -> None:
    migrate(empty_url)

    assert differences(empty_url) == []
    assert pending_revisions(empty_url) == []


def test_new_file_has_every_table_index_and_check_as_they_are_declared(tmp_path: Path) -> None:
    def declared() -> list[Any]:
        engine = create_engine(f"sqlite:///{tmp_path / 'declared.db'}", poolclass=NullPool)
        metadata.create_all(engine)
        return made(tmp_path / "declared.db")

    def made(path: Path) -> list[Any]:
        with closing(sqlite3.connect(path)) as connection:
            query = "SELECT type, name, sql FROM sqlite_master WHERE tbl_name != 'alembic_version'"
            return sorted(connection.execute(query), key=repr)

    migrate(f"sqlite:///{tmp_path / 'made.db'}")

    assert made(tmp_path / "made.db") == declared()


def test_migrations_lead_to_the_current_schema(
    empty_url: str, database_url: str, tmp_path: Path
) -> None:
    upgrade(empty_url, "head")
    made_at_once = f"sqlite:///{tmp_path / 'new.db'}"
    migrate(made_at_once)

    assert differences(empty_url) == []
    assert pending_revisions(empty_url) == []
    assert checks(empty_url) == checks(made_at_once)


def test_head_is_the_newest_revision(empty_url: str) -> None:
    assert pending_revisions(empty_url) == REVISIONS
    assert migrations.pending(None)[-1] == migrations.HEAD


def test_each_revision_is_pending_until_it_is_applied(empty_url: str) -> None:
    upgrade(empty_url, "0001")

    assert pending_revisions(empty_url) == REVISIONS[1:]


def test_rows_of_version_0_1_are_kept(old_file: Path) -> None:
    migrate(old_file)

    assert differences(f"sqlite:///{old_file}") == []
    database = Database(old_file).open()
    transactions, slots, entries, links = database.run(
        [
            lambda connection: reading.load_some(connection, ["open", "parked", "over"]),
            lambda connection: chain.load_slots(connection, SOURCE),
            lambda connection: feed.entries(connection, after=0, limit=9),
            lambda connection: chain.load_links(connection, SOURCE),
        ]
    )
    database.close()
    assert {transaction.id: transaction for transaction in transactions} == {
        "open": Tracked(
            "open",
            3,
            "mined",
            2,
            slots=("slot",),
            content="content",
            anchor=BlockRef(10, "ten"),
            outcome=Outcome(succeeded=True, fee=21, fee_scope="execution"),
        ),
        "parked": Tracked("parked", 12, "pending", 1, slots=("s",), content="c", error="E: x"),
        "over": Tracked(
            "over",
            1,
            "replaced",
            2,
            slots=("s",),
            content="c",
            anchor=BlockRef(10, "ten"),
            superseded_by="w",
            reason="repriced",
        ),
    }
    assert (slots, links) == ([], [Link(10, "ten", "nine")])
    assert [entry.position for entry in entries] == [3, 7]


VERSION_2 = """
INSERT INTO transactions (id, required, state, version, slot, content, block_number, block_hash,
    succeeded, fee, failure, superseded_by, reason, error, deadline, waiting_since, missing_height,
    missing_time, max_fee, flags, metadata, created_at, updated_at, ended_at)
VALUES
    ('open', '3', 'mined', 2, 'slot', 'content', 10, 'ten', TRUE, '21', NULL, NULL, NULL, NULL,
        9.5, 8.5, NULL, NULL, '77', 'stuck', '{"a": 1}', 1, 2, NULL),
    ('over', 'safe', 'failed', 3, 's', 'c', 10, 'ten', FALSE, '5', 'no', NULL, NULL, NULL,
        NULL, NULL, 4, 5.5, NULL, '', '{}', 3, 4, 4),
    ('gone', '1', 'replaced', 2, 's', 'c', 10, 'ten', NULL, NULL, NULL, 'w', 'repriced', NULL,
        NULL, NULL, NULL, NULL, NULL, '', '{}', 5, 6, 6);
INSERT INTO events (position, transaction_id, version, previous, state, block_number, block_hash,
    succeeded, fee, failure, superseded_by, reason, flags, recorded_at)
VALUES
    (3, 'open', 1, 'registered', 'pending', NULL, NULL, NULL, NULL, NULL, NULL, NULL, '', 1.5),
    (7, 'open', 2, 'pending', 'mined', 10, 'ten', TRUE, '21', NULL, NULL, NULL, 'stuck', 2.5);
INSERT INTO blocks (source, number, hash, parent) VALUES ('ethereum:31337', 10, 'ten', 'nine');
INSERT INTO cursors (source, number, hash, frozen_since) VALUES ('ethereum:31337', 10, 'ten', 7.5);
UPDATE counters SET value = 7;
"""


@pytest.fixture
def second_url(empty_url: str) -> str:
    """A database at the second revision."""
    upgrade(empty_url, "0002")
    with connected(empty_url) as connection:
        for statement in VERSION_2.split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)
    return empty_url


def test_rows_of_the_second_revision_are_kept(second_url: str) -> None:
    assert pending_revisions(second_url) == REVISIONS[2:]

    migrate(second_url)

    assert differences(second_url) == []
    database = Database(second_url).open()
    transactions, entries, links, identity, frozen = database.run(
        [
            lambda connection: reading.load_some(connection, ["open", "over", "gone"]),
            lambda connection: feed.events_page(connection, after=0, limit=9),
            lambda connection: chain.load_links(connection, SOURCE),
            chain.load_identity,
            chain.frozen_since,
        ]
    )
    database.close()
    mined = Outcome(succeeded=True, fee=21, fee_scope="execution")
    assert {transaction.id: transaction for transaction in transactions} == {
        "open": Tracked(
            "open",
            3,
            "mined",
            2,
            slots=("slot",),
            content="content",
            anchor=BlockRef(10, "ten"),
            outcome=mined,
            deadline=9.5,
            waiting_since=8.5,
            max_fee=77,
            flags=frozenset(("stuck",)),
        ),
        "over": Tracked(
            "over",
            "safe",
            "failed",
            3,
            slots=("s",),
            content="c",
            anchor=BlockRef(10, "ten"),
            outcome=Outcome(succeeded=False, fee=5, error="no", fee_scope="execution"),
            missing_since=Sighting(4, 5.5),
        ),
        "gone": Tracked(
            "gone",
            1,
            "replaced",
            2,
            slots=("s",),
            content="c",
            anchor=BlockRef(10, "ten"),
            superseded_by="w",
            reason="repriced",
        ),
    }
    assert [(entry.position, entry.event.tracked.outcome) for entry in entries] == [
        (3, None),
        (7, mined),
    ]
    assert (links, identity, frozen) == ([Link(10, "ten", "nine")], (SOURCE, None), 7.5)


def test_times_and_metadata_of_the_second_revision_are_kept(second_url: str) -> None:
    migrate(second_url)

    with connected(second_url) as connection:
        query = "SELECT id, metadata, created_at, updated_at, ended_at FROM transactions ORDER BY 1"
        assert [tuple(row) for row in connection.execute(text(query))] == [
            ("gone", "{}", 5, 6, 6),
            ("open", '{"a": 1}', 1, 2, None),
            ("over", "{}", 3, 4, 4),
        ]


def test_old_events_get_the_values_at_the_upgrade(second_url: str) -> None:
    migrate(second_url)
    with connected(second_url) as connection:
        later = """UPDATE transactions SET metadata = '{"a": 2}', required = '9', deadline = 1"""
        connection.exec_driver_sql(later)

    database = Database(second_url).open()
    ((first, second),) = database.run([lambda one: feed.events_page(one, after=0, limit=9)])
    database.close()
    assert (first.metadata, second.metadata) == ('{"a": 1}', '{"a": 1}')
    tracked = second.event.tracked
    assert (tracked.required, tracked.deadline, tracked.slots, tracked.content) == (
        3,
        9.5,
        ("slot",),
        "content",
    )


def test_endpoints_of_an_old_version_receive_no_alerts(second_url: str) -> None:
    with connected(second_url) as connection:
        row = (
            "INSERT INTO endpoints (id, url, secret, enabled, created_at) VALUES "
            "('ep_1', 'https://x.example/', 'whsec_' || :key, TRUE, 1)"
        )
        connection.execute(text(row), {"key": "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0"})

    migrate(second_url)
    database = Database(second_url).open()
    ((endpoint,),) = database.run([endpoints.load_all])
    database.close()

    assert (endpoint.id, endpoint.states, endpoint.alerts) == ("ep_1", None, ())


@pytest.mark.parametrize("reason", ["nonce-used", "conflicted"])
def test_new_reason_can_be_stored_after_an_upgrade(second_url: str, reason: str) -> None:
    migrate(second_url)

    with connected(second_url) as connection:
        for table in ("transactions", "events"):
            changed = f"UPDATE {table} SET reason = '{reason}', flags = 'status_unknown'"
            assert connection.execute(text(changed)).rowcount > 0
        with pytest.raises(IntegrityError, match="reason_is_known"):
            connection.execute(text("UPDATE transactions SET reason = 'other'"))


def test_event_positions_continue_after_an_upgrade(old_file: Path) -> None:
    migrate(old_file)
    database = Database(old_file).open()

    def run(work: Any, *args: Any) -> Any:
        return database.run([lambda connection: work(connection, *args)])[0]

    (parked,) = run(reading.load_some, ["parked"])
    assert commit(run, events=(mined(parked, TEN),)).position == 8
    database.close()


def test_start_without_migration_raises_and_changes_nothing(old_file: Path, empty_url: str) -> None:
    with pytest.raises(StoreError, match=r"at revision 0001, and this program needs 0012; migr"):
        Database(old_file).open(migrate=False)
    with pytest.raises(StoreError, match=r"at revision none, and this .* \(12 to go\)"):
        Database(empty_url).open(migrate=False)

    assert pending_revisions(old_file) == REVISIONS[1:]
    migrate(old_file)
    Database(old_file).open(migrate=False).close()


def test_database_of_a_newer_program_raises_and_is_unchanged(database_url: str) -> None:
    migrate(database_url)
    with connected(database_url) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(StoreError, match=r"at revision '9999'.* a newer version of the program"):
        Database(database_url).open()
    with pytest.raises(StoreError, match=r"at revision '9999'"):
        pending_revisions(database_url)


def test_failed_upgrade_changes_nothing(old_file: Path) -> None:
    with closing(sqlite3.connect(old_file)) as connection:
        # Conflicts with the last table that the upgrade creates.
        connection.execute("CREATE TABLE counters (other)")

    with pytest.raises(StoreError, match="counters already exists"):
        migrate(old_file)

    with closing(sqlite3.connect(old_file)) as connection:
        connection.execute("DROP TABLE counters")
    assert pending_revisions(old_file) == REVISIONS[1:]
    migrate(old_file)


def test_listing_pending_revisions_creates_nothing(tmp_path: Path) -> None:
    path = tmp_path / "none.db"

    assert pending_revisions(path) == REVISIONS
    assert not path.exists()


def test_unreadable_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "text.db"
    path.write_bytes(b"this is not a database, and longer than a header is" * 9)

    with pytest.raises(StoreError, match=r"cannot read database .*text.db: file is not a database"):
        pending_revisions(path)


@pytest.mark.postgres
def test_pending_revisions_can_be_listed_while_the_database_is_used(postgres: Any) -> None:
    with postgres.database() as url:
        database = Database(url).open()

        assert pending_revisions(url) == []
        database.close()


def test_transactions_of_the_second_revision_get_the_source_of_the_cursor(second_url: str) -> None:
    migrate(second_url)

    with connected(second_url) as connection:
        for table in ("transactions", "events"):
            sources = connection.exec_driver_sql(f"SELECT DISTINCT source FROM {table}").scalars()
            assert sources.all() == [SOURCE], table


def test_transactions_without_a_cursor_get_the_first_source_that_claims_the_database(
    second_url: str,
) -> None:
    with connected(second_url) as connection:
        connection.exec_driver_sql("DELETE FROM cursors")
    migrate(second_url)
    database = Database(second_url).open()

    database.run([partial(chain.claim, source="http:bank")])

    found = database.run([lambda connection: reading.load_some(connection, ["open"])])[0]
    database.close()
    assert [transaction.source for transaction in found] == ["http:bank"]
