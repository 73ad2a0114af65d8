"""One program per database file: a lock that ends with the program, however that ends."""

from pathlib import Path
from typing import IO

from transaction_tracker.store.errors import StoreError

try:
    import fcntl
except ImportError:  # Windows, where nothing like it comes with Python
    fcntl = None  # type: ignore[assignment]

# Locks of this program, and how many of its stores hold each: the successor of a store that
# was killed may come before that one has let go.
_owned: dict[Path, tuple[IO[str], int]] = {}


def acquire(database: Path) -> None:
    """Become the owner of a database file, or raise ``StoreError`` when another program is."""
    if fcntl is None:
        return
    path = _lock_path(database)
    lock, holders = _owned.get(path) or (_locked(path), 0)
    _owned[path] = (lock, holders + 1)


def release(database: Path) -> None:
    """Let another program have the database file, unless a store of this one still has it."""
    path = _lock_path(database)
    if path not in _owned:
        return
    lock, holders = _owned.pop(path)
    if holders > 1:
        _owned[path] = (lock, holders - 1)
    else:
        lock.close()


def _locked(path: Path) -> IO[str]:
    lock = path.open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise StoreError("it is in use by another program") from None
    return lock


def _lock_path(database: Path) -> Path:
    return database.resolve().with_name(database.name + "-owner")
