"""Databases of both kinds, for all tests of the package."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from transaction_tracker.store import chain
from transaction_tracker.store.database import Database, Failed

from .clock import Clock
from .compiled import compiled_once
from .databases import SOURCE, Run
from .figures import FIGURES
from .listening import closed_port as keep_closed
from .postgres import Postgres, running


@pytest.fixture(scope="session", autouse=True)
def statements_are_compiled_once() -> Iterator[None]:
    with compiled_once():
        yield


@pytest.fixture(autouse=True)
def default_database_is_not_used() -> Iterator[None]:
    """Fail if a test uses the default database: tests that run at the same time would share it."""
    default = Path("transactions.db")
    before = default.exists()
    yield
    assert default.exists() == before, "the test needs a database of its own"


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port on 127.0.0.1 that refuses connections."""
    with keep_closed() as port:
        yield port


@pytest.fixture
async def clock() -> Clock:
    """The clock of the test's event loop, which the test can advance."""
    return Clock(asyncio.get_running_loop())


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for the whole run."""
    with running() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A new database, once in a file and once on a server."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'test.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    with server.database() as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url).open()
    yield database
    database.close()


@pytest.fixture
def run(database: Database) -> Run:
    """Run one function in its own database transaction."""

    def run(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        (result,) = database.run([lambda connection: work(connection, *args, **kwargs)])
        if isinstance(result, Failed):
            raise result.error
        return result

    run(chain.claim, SOURCE)
    return run


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the sums of the figures of all stories and lives."""
    reports = terminalreporter.getreports("passed")
    total: Counter[str] = Counter()
    for report in reports:
        total.update(dict(report.user_properties).get(FIGURES, {}))
    for name, value in total.items():
        terminalreporter.write_line(f"{name.replace('_', ' ')}: {value:,.0f}")
