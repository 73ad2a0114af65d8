"""`freeze_heap` excludes what is alive from later collections, and nothing more."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from beamish import GenServer, freeze_heap, process


class Idle(GenServer):
    """A server with an attribute that can be watched."""

    def __init__(self) -> None:
        self.kept = Kept()


class Kept:
    """An object that tells whether it is still in memory."""

    other: object = None


@pytest.fixture(autouse=True)
def unfrozen() -> Iterator[None]:
    before = gc.get_freeze_count()
    yield
    if not before:
        gc.unfreeze()


async def test_servers_are_excluded_from_later_collections() -> None:
    server = (await Idle.start())._process.server
    assert any(found is server for found in gc.get_objects())

    excluded = freeze_heap()

    assert excluded == gc.get_freeze_count() > 0
    assert not any(found is server for found in gc.get_objects())


async def test_server_that_stops_is_freed_without_a_collection() -> None:
    pid = await Idle.start()
    kept = weakref.ref(pid._process.server.kept)
    freeze_heap()
    gc.disable()
    try:
        await GenServer.stop(pid)
        assert not process.is_alive(pid)
        assert kept() is None
    finally:
        gc.enable()


def test_garbage_of_before_is_collected() -> None:
    first, second = Kept(), Kept()
    first.other, second.other = second, first
    kept = weakref.ref(first)
    del first, second

    freeze_heap()

    assert kept() is None
