"""A real PostgreSQL server for tests."""

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

# The data need not survive a power cut, and a test run starts and stops the server once.
OPTIONS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
}


def tool(name: str) -> Path:
    """Return the path of a PostgreSQL program, or skip the test; fail if all tools are required."""
    # On Debian, the programs are not on the path; each version has a folder.
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    found = shutil.which(name) or (installed[0] if installed else None)
    if found is not None:
        return Path(found)
    reason = f"no {name}: apt-get install postgresql"
    if os.environ.get("BEAMISH_REQUIRE_TOOLS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


class Postgres:
    """A server with its data in one folder, reached through a socket in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._names = (f"test_{number}" for number in itertools.count())

    def url(self, database: str) -> str:
        """Return the URL of one of its databases."""
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def execute(self, statement: sql.SQL | sql.Composed, *values: object) -> list[Any]:
        """Execute a statement on the server, outside of the databases of tests."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def database(self, template: str = TEMPLATE) -> Iterator[str]:
        """Yield the URL of a new database with the package's tables, or of an empty one."""
        name = sql.Identifier(next(self._names))
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        self.execute(create.format(name, sql.Identifier(template)))
        try:
            yield self.url(name.as_string().strip('"'))
        finally:
            self.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))

    def disconnect_all(self) -> None:
        """Close all connections to databases of tests, as a server that stops does."""
        theirs = "FROM pg_stat_activity WHERE starts_with(datname, 'test_')"
        patience = sql.Literal(int(PATIENCE * 1000))
        self.execute(sql.SQL("SELECT pg_terminate_backend(pid, {}) " + theirs).format(patience))


@contextmanager
def running() -> Iterator[Postgres]:
    """Run a server while the context is open."""
    initdb, postgres = tool("initdb"), tool("postgres")
    # A short path: that of a socket can have about a hundred characters.
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
    """Return the options that run the server as another user if we are root, which it refuses."""
    if os.geteuid() != 0:
        return {}
    names = [entry.pw_name for entry in pwd.getpwall()]
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
