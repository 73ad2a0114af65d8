import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine

from transaction_tracker.store import StoreError, sqlite
from transaction_tracker.store.database import Database

HOLD = """
import sys
from pathlib import Path
from transaction_tracker.store.database import Database
database = Database(Path(sys.argv[1])).open()
print("open", flush=True)
sys.stdin.read()
"""
UNLOG = """
import sqlite3, sys
sqlite3.connect(sys.argv[1], timeout=0).execute("PRAGMA journal_mode = DELETE")
"""

Link = Callable[[Path, Path], None]


def test_database_of_another_program_raises(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    command = [sys.executable, "-c", HOLD, str(path)]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout is not None
    assert other.stdout.readline() == b"open\n"

    with pytest.raises(StoreError, match=r"test.db: it is in use by another program"):
        Database(path).open()

    # The lock is independent of lock files, which a killed program can leave behind.
    other.kill()
    other.communicate()
    Database(path).open().close()


def test_closed_database_is_free(tmp_path: Path) -> None:
    Database(tmp_path / "test.db").open().close()

    Database(tmp_path / "test.db").open().close()


def test_program_takes_over_from_its_own_killed_store(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    killed = Database(path).open()

    successor = Database(path).open()
    killed.close()

    assert is_in_use(path)
    successor.close()
    assert not is_in_use(path)


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_link_to_a_database_in_use_raises(tmp_path: Path, link: Link) -> None:
    path, other_name = tmp_path / "test.db", tmp_path / "other.db"
    database = Database(path).open()
    link(path, other_name)

    assert "in use by another program" in open_elsewhere(other_name)
    database.close()


def test_deleting_files_does_not_release_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    database = Database(path).open()
    for other in tmp_path.iterdir():
        if other.name not in ("test.db", "test.db-wal", "test.db-shm"):
            other.unlink()

    assert is_in_use(path)
    database.close()


def test_file_with_two_names_raises(tmp_path: Path) -> None:
    path, other_name = tmp_path / "test.db", tmp_path / "other.db"
    Database(path).open().close()
    os.link(path, other_name)

    with pytest.raises(StoreError, match="must have one name, got 2 hard links"):
        Database(path).open()

    other_name.unlink()
    Database(path).open().close()


def test_symlink_opens_a_free_database(tmp_path: Path) -> None:
    path, other_name = tmp_path / "test.db", tmp_path / "other.db"
    other_name.symlink_to(path)

    database = Database(other_name).open()

    assert is_in_use(path)
    database.close()


def test_file_that_replaces_the_locked_one_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "test.db"
    Database(tmp_path / "other.db").open().close()
    engine = sqlite.engine

    def replaced(url: URL) -> Engine:
        (tmp_path / "other.db").rename(path)
        return engine(url)

    monkeypatch.setattr(sqlite, "engine", replaced)

    with pytest.raises(StoreError, match="another file took its place"):
        Database(path).open()


def test_sqlite_locks_hold_while_another_store_opens_and_closes(
    tmp_path: Path,
) -> None:
    path = tmp_path / "test.db"
    database = Database(path).open()

    Database(path).open().close()

    # Without these locks, another program could delete the write-ahead log of the service.
    command = [sys.executable, "-c", UNLOG, str(path)]
    tried = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert "database is locked" in tried.stderr
    database.close()


def is_in_use(path: Path) -> bool:
    return "in use by another program" in open_elsewhere(path)


def open_elsewhere(path: Path) -> str:
    """Open and close a database in another program, and return its standard error."""
    command = [sys.executable, "-c", HOLD, str(path)]
    tried = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return tried.stderr
