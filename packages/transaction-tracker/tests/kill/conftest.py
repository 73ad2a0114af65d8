"""A PostgreSQL server for these tests only."""

from collections.abc import Iterator

import pytest

from .server import RestartableServer, restartable_server


@pytest.fixture(scope="module")
def own_server() -> Iterator[RestartableServer]:
    with restartable_server() as server:
        yield server
