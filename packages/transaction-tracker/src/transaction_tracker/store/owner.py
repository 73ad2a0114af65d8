"""Ensure that only one program uses a database file, by a lock on the file itself.

The lock ends with the program. It belongs to the file (device and inode), not to its name: a
symlink, a hard link or another spelling of the path leads to the same lock, and there is no lock
file that could be deleted.

Closing *any* descriptor of a file drops all POSIX locks that the process holds on it, including
those of SQLite. So the descriptor of the lock is closed only after the last SQLite connection of
this process to the file, and a file that the process owns already is not opened a second time.
"""

import errno
import os
import struct
import threading
from dataclasses import dataclass, field
from pathlib import Path

from transaction_tracker.store.errors import StoreError

try:
    import fcntl
except ImportError:  # on Windows, the standard library has no record locks
    fcntl = None  # type: ignore[assignment]

# A byte far behind the end of any database, and behind the bytes that SQLite locks. Arbitrary, but
# the same in all versions of this program.
_OWNER_BYTE = 0x7478_7472_6163_6B00  # "txtrack"
# struct flock: l_type, l_whence, l_start, l_len, l_pid.
_FLOCK = "hhqqi0q"
# SQLite's own mode for a new file.
_MODE = 0o644

FileId = tuple[int, int]


@dataclass(slots=True)
class _Owned:
    """A file that this process owns: the number of its stores that use it, and descriptors."""

    users: int = 0
    descriptors: list[int] = field(default_factory=list)


# A killed store can still have the file open when its successor starts: both share the lock.
_owned: dict[FileId, _Owned] = {}
_guard = threading.Lock()


class Ownership:
    """The ownership of a database file, until it is released.

    Args:
        path: The path by which the file was opened.
        file_id: The device and inode of the file.
    """

    def __init__(self, path: Path, file_id: FileId) -> None:
        self._path = path
        self._file_id = file_id
        self._released = False

    def check(self) -> None:
        """Raise ``StoreError`` if the path leads to another file than the locked one.

        Called after SQLite has opened the path: between the lock and that moment, the path can
        have been changed to a file of another owner.
        """
        if _file_id(self._path.stat()) != self._file_id:
            raise StoreError("another file took its place while it was opened; start again")

    def release(self) -> None:
        """Release the file; the lock ends when all stores of this process have released it."""
        with _guard:
            if self._released:
                return
            self._released = True
            owned = _owned[self._file_id]
            owned.users -= 1
            if owned.users == 0:
                del _owned[self._file_id]
                for descriptor in owned.descriptors:
                    os.close(descriptor)


def acquire(path: Path) -> Ownership:
    """Acquire the ownership of a database file; create the file if it is missing.

    Raises:
        StoreError: Another program owns the file, or it has several names.
        OSError: The file cannot be opened or locked.
    """
    with _guard:
        # A file that is owned already must not be opened and closed again.
        file_id = _file_id(path.stat()) if path.exists() else None
        if file_id is None or file_id not in _owned:
            file_id = _lock(path)
        _owned[file_id].users += 1
    ownership = Ownership(path, file_id)
    try:
        check_names(path)
    except BaseException:
        ownership.release()
        raise
    return ownership


def check_names(path: Path) -> None:
    """Raise ``StoreError`` if the file has more than one name.

    SQLite stores the log of recent commits next to the path that it opens. Opened by another name,
    the file lacks the newest commits, and writing to it corrupts the database.
    """
    names = path.stat().st_nlink
    if names > 1:
        raise StoreError(
            f"the file must have one name, got {names} hard links: SQLite keeps a separate log for "
            f"each name; find them with 'find -samefile {path.name}', remove all but the one that "
            "was always used, and copy databases with sqlite3's .backup"
        )


def _lock(path: Path) -> FileId:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
    file_id = _file_id(os.fstat(descriptor))
    if file_id in _owned:  # the path was changed to this file meanwhile
        _owned[file_id].descriptors.append(descriptor)
        return file_id
    try:
        _lock_byte(descriptor)
    except OSError as error:
        os.close(descriptor)
        if error.errno in (errno.EAGAIN, errno.EACCES):
            raise StoreError("it is in use by another program") from None
        raise
    _owned[file_id] = _Owned(descriptors=[descriptor])
    return file_id


def _lock_byte(descriptor: int) -> None:
    if fcntl is None:
        return
    command = getattr(fcntl, "F_OFD_SETLK", None)
    if command is None:
        # Outside Linux, there are no open file description locks. A POSIX lock is lost if SQLite
        # closes a connection to the file while it holds no lock of its own.
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _OWNER_BYTE)
        return
    lock = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, _OWNER_BYTE, 1, 0)
    fcntl.fcntl(descriptor, command, lock)


def _file_id(status: os.stat_result) -> FileId:
    return status.st_dev, status.st_ino
