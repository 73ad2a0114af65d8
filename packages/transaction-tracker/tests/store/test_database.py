"""Opening, owning, using and closing a database."""

import threading
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, text

from transaction_tracker.store import (
    DatabaseFailedError,
    StoreError,
    UnavailableError,
    postgresql,
    reading,
)
from transaction_tracker.store.chain import claim
from transaction_tracker.store.database import Database, Failed, Work
from transaction_tracker.store.registering import park, register
from transaction_tracker.store.schema import endpoints

from .support import SOURCE, tracked, wanted

PASSWORD = "pa55w0rd!"


def count(connection: Connection) -> int:
    return sum(len(some) for some in reading.load_open(connection))


def test_work_of_one_call_is_one_transaction(database: Database) -> None:
    results = database.run(
        [
            partial(claim, source=SOURCE),
            partial(claim, source="ethereum:1"),
            partial(register, registrations=wanted("tx")),
        ]
    )

    assert isinstance(results[1].error, StoreError)
    assert results[2].rows == (tracked(),)


@pytest.mark.parametrize("error", [StoreError("no"), ValueError("bad"), KeyError("gone")])
def test_work_that_raises_is_rolled_back_alone(database: Database, error: Exception) -> None:
    def half(connection: Connection) -> None:
        register(connection, wanted("half"))
        raise error

    before, failed, after = database.run(
        [partial(register, registrations=wanted("a")), half, count]
    )

    assert failed == Failed(error)
    assert (before.rows, after) == ((tracked("a"),), 1)


@pytest.mark.parametrize("others", [[], [count]], ids=["alone", "among others"])
def test_changes_before_a_rejected_row_are_rolled_back(
    database: Database, others: list[Work]
) -> None:
    def half(connection: Connection) -> None:
        register(connection, wanted("half"))
        connection.execute(text("INSERT INTO cursors (source) VALUES ('x'), ('x')"))

    failed, *_ = database.run([half, *others])

    assert isinstance(failed.error, DatabaseFailedError)
    assert database.run([count]) == [0]


def test_work_that_raises_alone_is_rolled_back(database: Database) -> None:
    error = ValueError("bad")

    def half(connection: Connection) -> None:
        register(connection, wanted("half"))
        raise error

    assert database.run([half]) == [Failed(error)]
    assert database.run([count]) == [0]


def test_row_that_the_database_rejects_fails_only_its_own_work(database: Database) -> None:
    def twice(connection: Connection) -> None:
        connection.execute(text("INSERT INTO cursors (source) VALUES ('x'), ('x')"))

    failed, after = database.run([twice, count])

    assert isinstance(failed.error, DatabaseFailedError)
    assert after == 0


def test_error_of_a_rejected_row_omits_its_values(database: Database) -> None:
    # Its NOT NULL columns are missing: the error of PostgreSQL contains the whole row.
    row = {"id": "ep", "url": "https://example.org", "secret": PASSWORD}

    def bad(connection: Connection) -> None:
        connection.execute(insert(endpoints), row)

    (failed,) = database.run([bad])

    assert "not" in str(failed.error).lower()
    assert PASSWORD not in str(failed.error)
    assert failed.error.__cause__ is None


def test_rows_are_there_after_reopening(database_url: str) -> None:
    database = Database(database_url).open()
    database.run([partial(register, registrations=wanted("tx"))])
    database.close()

    again = Database(database_url).open()

    assert again.run([partial(reading.load, transaction="tx")]) == [tracked()]
    again.close()


def test_database_can_be_closed_twice(database: Database) -> None:
    database.close()
    database.close()

    with pytest.raises(StoreError, match="is not open"):
        database.run([count])


def test_rows_are_streamed_in_parts(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_READ_AT_ONCE", 10)
    names = [f"tx{number}" for number in range(25)]
    database.run([partial(register, registrations=wanted(*names))])

    parts = list(database.stream(reading.load_open))

    assert [len(part) for part in parts] == [10, 10, 5]
    assert {one.id for part in parts for one in part} == set(names)


def test_database_settings_make_commits_durable(database: Database) -> None:
    def ask(statement: str) -> Callable[[Connection], Any]:
        return lambda connection: connection.exec_driver_sql(statement).scalar()

    if database.url.is_postgresql:
        assert database.run([ask("SHOW synchronous_commit")]) == ["on"]
    else:
        asked = [ask("PRAGMA journal_mode"), ask("PRAGMA synchronous")]
        assert database.run(asked) == ["wal", 2]


@pytest.mark.parametrize("content", [b"this is not a database, and longer than a header" * 9])
def test_file_that_is_not_a_database_raises(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "text.db"
    path.write_bytes(content)

    with pytest.raises(StoreError, match=r"cannot use database .*text.db: file is not a database"):
        Database(path).open()

    assert path.read_bytes() == content


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot use database .*: No such file or directory"):
        Database(tmp_path / "missing" / "test.db").open()


@pytest.mark.parametrize("where", ["127.0.0.1:1", ""])
def test_unreachable_server_raises_unavailable(tmp_path: Path, where: str) -> None:
    url = f"postgresql://me:{PASSWORD}@{where}/money" + ("" if where else f"?host={tmp_path}")

    with pytest.raises(UnavailableError, match=r"cannot use database postgresql://.*/money: con"):
        Database(url).open()


def test_unknown_option_raises_a_permanent_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match='invalid connection option "colour"') as caught:
        Database(f"postgresql:///money?host={tmp_path}&colour={PASSWORD}").open()

    assert not isinstance(caught.value, UnavailableError)
    assert PASSWORD not in str(caught.value)


def test_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "find_spec", lambda _name: None)

    with pytest.raises(
        StoreError, match=r"needs a driver: pip install 'transaction-tracker\[postgresql\]'"
    ):
        Database("postgresql://127.0.0.1:1/money").open()


@pytest.mark.postgres
def test_missing_database_raises_a_permanent_error(postgres: Any) -> None:
    with pytest.raises(StoreError, match='database "nowhere" does not exist') as caught:
        Database(postgres.url("nowhere")).open()

    assert not isinstance(caught.value, UnavailableError)


@pytest.mark.postgres
def test_errors_omit_the_password(postgres: Any) -> None:
    url = f"postgresql://nobody:{PASSWORD}@/x?host={postgres.folder}&sslpassword={PASSWORD}"

    with pytest.raises(StoreError) as caught:
        Database(url).open()

    assert 'role "nobody" does not exist' in str(caught.value)
    shown = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    assert PASSWORD not in shown


@pytest.mark.postgres
def test_server_database_has_one_owner(postgres: Any) -> None:
    with postgres.database() as url:
        first = Database(url).open()

        with pytest.raises(UnavailableError, match="in use by another program"):
            Database(url).open()

        first.close()
        Database(url).open().close()


@pytest.mark.postgres
def test_two_databases_of_one_server_have_separate_owners(postgres: Any) -> None:
    with postgres.database() as url, postgres.database() as other:
        first, second = Database(url).open(), Database(other).open()

        second.close()
        first.close()


@pytest.mark.postgres
def test_lost_connection_writes_nothing_and_raises(postgres: Any) -> None:
    with postgres.database() as url:
        database = Database(url).open()

        def cut_off(connection: Connection) -> None:
            register(connection, wanted("tx"))
            postgres.disconnect_all()
            reading.load(connection, "tx")

        with pytest.raises(DatabaseFailedError):
            database.run([cut_off])
        database.close()

        again = Database(url).open()
        assert again.run([count]) == [0]
        again.close()


@pytest.mark.postgres
def test_work_waits_for_a_lock_of_another_program(postgres: Any) -> None:
    """Readers of other programs, such as a backup, do not stop the store."""
    import psycopg

    with postgres.database() as url:
        database = Database(url).open()
        with psycopg.connect(url) as other:
            other.execute("LOCK TABLE transactions")
            done: list[Any] = []
            asked = threading.Thread(target=lambda: done.extend(database.run([count])))
            asked.start()
            time.sleep(0.05)
            other.rollback()
            asked.join()
        database.close()

        assert done == [0]


def test_text_with_nul_does_not_fail_the_database(database: Database) -> None:
    """A contract can revert with such a reason; it must not stop the chain."""
    (registered, parked, found) = database.run(
        [
            partial(register, registrations=wanted("tx")),
            partial(park, transaction="tx", error="odd \0"),
            partial(reading.load, transaction="tx\0"),
        ]
    )

    assert registered.rows == (tracked(),)
    assert parked.rows[0].error in ("odd \0", "odd �")
    assert found is None
