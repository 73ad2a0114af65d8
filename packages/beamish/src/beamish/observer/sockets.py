"""The sockets that an observer listens on, and who can connect to the local one."""

import errno
import os
import socket
import stat
import struct
from contextlib import suppress
from pathlib import Path

_BACKLOG = 64
MAX_PATH_BYTES = 100
"""Length of a local socket's path that every system accepts."""


def bind_tcp(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address and a port; port 0 chooses a free one.

    Raises:
        OSError: The address cannot be used; the message names it and a way out.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as error:
        raise _cannot_listen(host, port, error) from None
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise _cannot_listen(host, port, error) from None
    sock.setblocking(False)
    return sock


def _cannot_listen(host: str, port: int, error: OSError) -> OSError:
    way_out = "choose another host or port; port 0 chooses a free port"
    return OSError(error.errno, f"cannot listen on {host} port {port}: {error.strerror}; {way_out}")


def bind_local(path: Path) -> socket.socket:
    """Return a socket that listens at a path that only this user can open.

    A socket that a dead program has left there is replaced.

    Raises:
        OSError: The path cannot be used; the message says why.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise OSError(errno.EAFNOSUPPORT, "this system has no local sockets; use host and port")
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        raise OSError(
            errno.ENAMETOOLONG,
            f"the path of a socket can have {MAX_PATH_BYTES} bytes; choose a shorter one: {path}",
        )
    _check_folder(path)
    _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # The mode is set before the first connection can arrive: nobody can connect until `listen`.
    try:
        sock.bind(os.fspath(path))
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise OSError(error.errno, f"cannot listen at {path}: {error.strerror}") from None
    sock.setblocking(False)
    return sock


def _check_folder(path: Path) -> None:
    """Raise if other users could replace the socket with one of theirs."""
    try:
        mode = path.parent.stat().st_mode
    except OSError as error:
        raise OSError(
            error.errno, f"the folder of the socket cannot be used: {path.parent}: {error.strerror}"
        ) from None
    if mode & (stat.S_IWGRP | stat.S_IWOTH) and not mode & stat.S_ISVTX:
        raise PermissionError(
            errno.EPERM,
            f"other users can write to the folder of the socket: {path.parent}; use another folder",
        )


def _remove_stale(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise FileExistsError(errno.EEXIST, f"there is a file that is not a socket: {path}")
    if found.st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, f"the socket of another user is in the way: {path}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(os.fspath(path))
        except (ConnectionRefusedError, FileNotFoundError):
            with suppress(FileNotFoundError):
                path.unlink()
            return
        except OSError:
            pass  # its backlog is full, so that a program listens
    raise OSError(errno.EADDRINUSE, f"another program listens at {path}")


def remove(path: Path, inode: int) -> None:
    """Remove the socket at ``path``, unless another program has replaced it."""
    with suppress(OSError):
        if path.lstat().st_ino == inode:
            path.unlink()


def peer_user(sock: socket.socket) -> int | None:
    """Return the user id at the other end of a local socket; ``None`` if the system hides it."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    credentials = sock.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", credentials)
    return int(user)


def is_admitted(user: int | None) -> bool:
    """Return whether a user can use the local socket: this program's user, and root.

    Where the system does not show the user, the mode of the socket has already decided.
    """
    return user is None or user in (0, os.geteuid())
