"""A PostgreSQL server that does not answer: each wait for it has a timeout."""

import asyncio
import gc
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator

import psycopg
import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from beamish import ExitError, GenServer, process
from transaction_tracker.store import STORE, OpenTransactions, Store, UnavailableError, postgresql
from transaction_tracker.store.database import Database
from transaction_tracker.store.postgresql import visit

from ..postgres import Postgres  # noqa: TID252
from ..silence import Line, line_to  # noqa: TID252
from .support import wanted
from .test_process import Announcements, thread_gone

pytestmark = pytest.mark.postgres

PATIENCE = 30.0


@pytest.fixture
async def line(postgres: Postgres) -> AsyncIterator[Line]:
    async with line_to(postgres) as line:
        yield line


@pytest.fixture
def url(postgres: Postgres, line: Line) -> Iterator[str]:
    with postgres.database() as direct:
        yield line.url(direct)


@pytest.fixture
def shorten_silence(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return a function that limits an answer to 0.5 s; the start of a store can take longer."""
    return lambda: monkeypatch.setattr(postgresql, "SILENCE_TIMEOUT_SECONDS", 0.5)


async def test_store_fails_when_its_server_stays_silent(
    line: Line, url: str, shorten_silence: Callable[[], None]
) -> None:
    open_transactions = OpenTransactions()
    await Store.start(url, open_transactions, Announcements(open_transactions), name=STORE)
    shorten_silence()
    line.fall_silent()

    async with asyncio.timeout(PATIENCE):
        with pytest.raises(ExitError, match="the server did not answer in time"):
            await Store.register(wanted("tx"))
        await thread_gone()


async def test_stopping_store_cuts_off_a_silent_server(line: Line, url: str) -> None:
    open_transactions = OpenTransactions()
    pid = await Store.start(url, open_transactions, Announcements(open_transactions), name=STORE)
    line.fall_silent()
    asked = asyncio.create_task(Store.register(wanted("tx")))
    async with asyncio.timeout(PATIENCE):
        await line.heard.wait()

        await GenServer.stop(pid)

        await thread_gone()
        with pytest.raises(ExitError):
            await asked


async def test_killed_store_cuts_off_a_silent_server(
    line: Line, url: str, shorten_silence: Callable[[], None]
) -> None:
    open_transactions = OpenTransactions()
    pid = await Store.start(url, open_transactions, Announcements(open_transactions), name=STORE)
    shorten_silence()
    line.fall_silent()
    asked = asyncio.create_task(Store.register(wanted("tx")))
    async with asyncio.timeout(PATIENCE):
        await line.heard.wait()

        process.exit(pid, "kill")
        with pytest.raises(ExitError):
            await asked
        del pid, asked

        # Its thread and its connection end with the object, after the timeout of the answer.
        while any(thread.name.startswith("store") for thread in threading.enumerate()):
            gc.collect()
            await asyncio.sleep(0.01)


async def test_start_gives_up_on_a_server_that_falls_silent_after_the_connection(
    line: Line, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fall_silent(_connection: Connection) -> str:
        line.fall_silent()
        return str(_connection.execute(text("SELECT 1")))

    monkeypatch.setattr(postgresql, "MAX_OPEN_SECONDS", 0.5)
    monkeypatch.setattr("transaction_tracker.store.migrations.revision", fall_silent)

    async with asyncio.timeout(PATIENCE):
        with pytest.raises(UnavailableError, match="the server did not answer in time"):
            await asyncio.to_thread(Database(url).open)


async def test_command_gives_up_on_a_silent_server(line: Line, url: str) -> None:
    def ask() -> None:
        with visit(Database(url).url.reveal(), 0.5) as engine, engine.connect() as connection:
            line.fall_silent()
            connection.execute(text("SELECT 1"))

    async with asyncio.timeout(PATIENCE):
        with pytest.raises(DBAPIError):
            await asyncio.to_thread(ask)


def test_closed_connection_is_waited_for() -> None:
    ours, servers = socket.socketpair()
    with ours, servers:
        wire = postgresql.Wire()
        wire._attach(ours, None)
        ours.close()
        waiting = threading.Thread(target=wire.wait_for_end, args=[PATIENCE])
        waiting.start()
        servers.send(b"the end of its last message")
        waiting.join(0.05)
        assert waiting.is_alive()

        servers.close()

        waiting.join(PATIENCE)
        assert not waiting.is_alive()
        wire.close()


def test_wait_for_a_silent_server_ends() -> None:
    ours, servers = socket.socketpair()
    with ours, servers:
        wire = postgresql.Wire()
        wire._attach(ours, None)

        wire.wait_for_end(0.01)

        wire.close()


def test_statements_have_a_timeout_and_migrations_have_none(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = []

    def upgrade(config: object, _to: str) -> None:
        limits.append(config.attributes["connection"].scalar(text("SHOW statement_timeout")))  # type: ignore[attr-defined]

    monkeypatch.setattr("alembic.command.upgrade", upgrade)
    with postgres.database() as url:
        with psycopg.connect(url) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '0001'")
        database = Database(url).open()
        (limit,) = database.run([lambda c: c.scalar(text("SHOW statement_timeout"))])
        database.close()

    assert limits == ["0"]
    assert limit == "45s"
