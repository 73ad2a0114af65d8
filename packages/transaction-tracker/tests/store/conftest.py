"""A database without the store's process around it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from transaction_tracker.store import chain
from transaction_tracker.store.database import Database, Failed

from .support import SOURCE

Run = Callable[..., Any]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url).open()
    yield database
    database.close()


@pytest.fixture
def run(database: Database) -> Run:
    """Do one piece of work in a transaction of its own."""

    def run(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        (result,) = database.run([lambda connection: work(connection, *args, **kwargs)])
        if isinstance(result, Failed):
            raise result.error
        return result

    run(chain.claim, SOURCE)
    return run
