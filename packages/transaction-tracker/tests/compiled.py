"""One cache of compiled statements for the databases of all tests.

SQLAlchemy compiles a statement once for each engine. A service has one engine, but each test opens
a database of its own, and compiling took a quarter of the processor time of their services.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.util import LRUCache

from transaction_tracker.store import sqlite

_MAX_STATEMENTS = 2_000


@contextmanager
def compiled_once() -> Iterator[None]:
    """Make all engines of SQLite share a dialect, which is a part of the key of a statement."""
    first = create_engine("sqlite://")
    with first.connect():  # the dialect asks the first connection what SQLite can do
        pass
    first.dispose()
    statements: LRUCache[object, object] = LRUCache(_MAX_STATEMENTS)
    make = sqlite.engine

    def engine(url: URL) -> Engine:
        made = make(url)
        made.dialect = first.dialect
        made.update_execution_options(compiled_cache=statements)
        return made

    with mock.patch.object(sqlite, "engine", engine):
        yield
