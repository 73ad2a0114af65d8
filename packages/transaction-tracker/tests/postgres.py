"""A real PostgreSQL server for tests that need one."""

import itertools
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
from psycopg import sql

from transaction_tracker.store import migrate

PATIENCE = 50.0
TEMPLATE = "tracker_template"

# Nothing here has to survive a power cut, and a test run starts and stops it once.
OPTIONS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
}


def tool(name: str) -> Path:
    """Find a program of PostgreSQL, or skip the test; in CI, where it has to be, fail."""
    # Debian keeps them off the path, one folder for each version.
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    found = shutil.which(name) or (installed[0] if installed else None)
    if found is not None:
        return Path(found)
    reason = f"no {name}: apt-get install postgresql"
    if os.environ.get("BEAMISH_REQUIRE_TOOLS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


class Postgres:
    """A server in a folder of its own, reached through a socket in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._names = (f"test_{number}" for number in itertools.count())

    def url(self, database: str) -> str:
        """Address one of its databases."""
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def execute(self, statement: sql.SQL | sql.Composed, *values: object) -> list[Any]:
        """Do something on the server, beside all databases of tests."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def database(self, template: str = TEMPLATE) -> Iterator[str]:
        """Give the address of a new database, as the package makes it; or empty."""
        name = sql.Identifier(next(self._names))
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self.execute(create.format(name, sql.Identifier(template)))
        try:
            yield self.url(name.as_string().strip('"'))
        finally:
            self.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))

    def disconnect_all(self) -> None:
        """Break off all connections to databases of tests, as a server that goes down does."""
        theirs = "FROM pg_stat_activity WHERE starts_with(datname, 'test_')"
        patience = sql.Literal(int(PATIENCE * 1000))
        self.execute(sql.SQL("SELECT pg_terminate_backend(pid, {}) " + theirs).format(patience))


@contextmanager
def running() -> Iterator[Postgres]:
    """Run a server for as long as the context lasts."""
    initdb, postgres = tool("initdb"), tool("postgres")
    # Short: a socket's path has room for a hundred characters only.
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    who = _user(folder)
    try:
        flags = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"]
        _run([initdb, "-D", folder / "data", *flags], who)
        yield from _serve(postgres, folder, who)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _serve(postgres: Path, folder: Path, who: dict[str, Any]) -> Iterator[Postgres]:
    options = [f"-c{name}={value}" for name, value in OPTIONS.items()]
    log = (folder / "log").open("wb")
    server = subprocess.Popen(
        [postgres, "-D", folder / "data", "-k", folder, *options], stdout=log, stderr=log, **who
    )
    try:
        running = Postgres(folder)
        _wait_for(running, server, folder / "log")
        running.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
        migrate(running.url(TEMPLATE))
        yield running
    finally:
        server.send_signal(signal.SIGINT)  # without waiting for clients
        server.wait(PATIENCE)
        log.close()


def _user(folder: Path) -> dict[str, Any]:
    """Name another user to whoever is root, whom the server refuses to serve."""
    if os.geteuid() != 0:
        return {}
    names = [one.pw_name for one in pwd.getpwall()]
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": folder}


def _run(command: list[Any], who: dict[str, Any]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, **who)
    if done.returncode:
        pytest.fail(f"{command[0]} failed: {done.stderr}")


def _wait_for(server: Postgres, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < give_up:
        try:
            server.execute(sql.SQL("SELECT 1"))
        except psycopg.OperationalError:
            time.sleep(0.02)
        else:
            return
    pytest.fail(f"PostgreSQL did not start: {log.read_text()[-2000:]}")
