"""A PostgreSQL server for the cluster's tests."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

PATIENCE_SECONDS = 100.0
_OPTIONS = ("fsync=off", "full_page_writes=off", "autovacuum=off")


def missing(reason: str) -> None:
    """Skip the test, or fail it if all tools are required, as in CI."""
    if os.environ.get("BEAMISH_REQUIRE_TOOLS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def tool(name: str) -> str:
    """Return the path of a program of PostgreSQL."""
    # On Debian, the programs are not on the path; each version has a folder.
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    found = shutil.which(name) or (str(installed[0]) if installed else None)
    if found is None:
        missing(f"no {name}: apt-get install postgresql")
    return str(found)


class Server:
    """A server whose data and socket are in one folder.

    Args:
        folder: The folder.
        program: The path of ``postgres``.
        address: Where it also listens; empty for the socket only.
        user: The options that run it as another user.
    """

    def __init__(self, folder: Path, program: str, address: str, user: dict[str, Any]) -> None:
        self.dsn = f"postgresql://postgres@/postgres?host={address or folder}"
        options = [f"-c{option}" for option in (*_OPTIONS, f"listen_addresses={address}")]
        log = (folder / "log").open("wb")
        self.process = subprocess.Popen(
            [program, "-D", folder / "data", "-k", folder, *options], stdout=log, stderr=log, **user
        )
        log.close()

    def wait(self) -> None:
        """Wait until it answers."""
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                psycopg.connect(self.dsn).close()
            except psycopg.OperationalError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """Stop it without waiting for clients."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(PATIENCE_SECONDS)


@contextmanager
def running(address: str = "") -> Iterator[Server]:
    """Run a server, at a network address or only at its socket."""
    initdb, program = tool("initdb"), tool("postgres")
    folder = Path(tempfile.mkdtemp(prefix="pg"))  # short, because it is the path of a socket
    user = _user(folder)
    try:
        flags = ["-A", "trust", "-U", "postgres", "--locale=C", "-E", "UTF8", "--no-sync"]
        subprocess.run(
            [initdb, "-D", folder / "data", *flags], check=True, capture_output=True, **user
        )
        if address:  # in a network of the test's own
            with (folder / "data" / "pg_hba.conf").open("a") as rules:
                rules.write("host all all samenet trust\n")
        server = Server(folder, program, address, user)
        try:
            server.wait()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _user(folder: Path) -> dict[str, Any]:
    """Return the options that run the server as another user if we are root, which it refuses."""
    if os.geteuid() != 0:
        return {}
    names = [entry.pw_name for entry in pwd.getpwall()]
    entry = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": [], "cwd": folder}
