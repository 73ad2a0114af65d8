import subprocess
import sys
from pathlib import Path

import pytest

from transaction_tracker.store import StoreError
from transaction_tracker.store.database import Database

HOLD = """
import sys
from pathlib import Path
from transaction_tracker.store.database import Database
database = Database(Path(sys.argv[1])).open()
print("open", flush=True)
sys.stdin.read()
"""


def test_a_database_that_another_program_uses_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    command = [sys.executable, "-c", HOLD, str(path)]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert other.stdout is not None
    assert other.stdout.readline() == b"open\n"

    with pytest.raises(StoreError, match=r"test.db: it is in use by another program"):
        Database(path).open()

    # However the other program ends: a lock file that stays behind locks nothing.
    other.kill()
    other.communicate()
    Database(path).open().close()


def test_a_database_that_was_closed_is_free(tmp_path: Path) -> None:
    Database(tmp_path / "test.db").open().close()

    Database(tmp_path / "test.db").open().close()


def test_a_program_takes_over_from_its_own_store_that_could_not_let_go(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    killed = Database(path).open()

    successor = Database(path).open()
    killed.close()

    assert is_in_use(path)
    successor.close()
    assert not is_in_use(path)


def is_in_use(path: Path) -> bool:
    """Ask as another program."""
    command = [sys.executable, "-c", HOLD, str(path)]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True).returncode != 0
