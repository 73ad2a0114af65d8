"""A server of their own for these tests."""

from collections.abc import Iterator

import pytest

from .server import Restartable, restartable


@pytest.fixture(scope="module")
def own_server() -> Iterator[Restartable]:
    with restartable() as server:
        yield server
