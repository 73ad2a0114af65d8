"""A PostgreSQL server with its default settings: what it says is safe is on the disk."""

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
from psycopg import sql

PATIENCE = 60.0


def tool(name: str) -> Path | None:
    """Find a program of PostgreSQL."""
    # Debian keeps them off the path, one folder for each version.
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    found = shutil.which(name) or (installed[0] if installed else None)
    return None if found is None else Path(found)


class Postgres:
    """A running server, reached through a socket in its folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def url(self, database: str) -> str:
        """Address one of its databases."""
        return f"postgresql://postgres@/{database}?host={self._folder}"

    @contextmanager
    def database(self, name: str) -> Iterator[str]:
        """Yield the URL of a new, empty database."""
        self.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield self.url(name)
        finally:
            self.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def execute(self, statement: sql.SQL | sql.Composed) -> None:
        """Do something on the server, beside all databases."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def running() -> Iterator[Postgres]:
    """Run a server for as long as the context lasts."""
    initdb, postgres = tool("initdb"), tool("postgres")
    if initdb is None or postgres is None:
        raise RuntimeError("no PostgreSQL: apt-get install postgresql")
    # Short: a socket's path has room for a hundred characters only.
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    who = _user(folder)
    try:
        flags = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C"]
        subprocess.run(
            [initdb, "-D", folder / "data", *flags], check=True, capture_output=True, **who
        )
        yield from _serve(postgres, folder, who)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _serve(postgres: Path, folder: Path, who: dict[str, Any]) -> Iterator[Postgres]:
    options = ["-k", str(folder), "-c", "listen_addresses="]
    command = [str(postgres), "-D", str(folder / "data"), *options]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, **who)
        try:
            running = Postgres(folder)
            _wait_for(running, server, folder / "log")
            yield running
        finally:
            server.send_signal(signal.SIGINT)  # without waiting for clients
            server.wait(PATIENCE)


def _user(folder: Path) -> dict[str, Any]:
    """Return the options to run as another user, because the server refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    names = [one.pw_name for one in pwd.getpwall()]
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": folder}


def _wait_for(server: Postgres, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < give_up:
        try:
            server.execute(sql.SQL("SELECT 1"))
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"PostgreSQL did not start: {log.read_text()[-2000:]}")
