"""How much memory a server takes: a program can have a million."""

import gc
import time

import pytest

from beamish import DynamicSupervisor, GenServer, Registry, process

SERVERS = 2_000
MAX_OBJECTS = 5


class Counter(GenServer, restart="transient"):
    """A server with one attribute."""

    def __init__(self, key: str) -> None:
        self.key = key


async def start_all(names: list[str]) -> None:
    for name in names:
        spec = Counter.child_spec(name, name=Registry.via("registry", name))
        await DynamicSupervisor.start_child("supervisor", spec)


async def test_garbage_collector_searches_five_objects_of_a_supervised_registered_server() -> None:
    """The server, its process, pid, specification and name; each search stops all processes."""
    await Registry.start_link(keys="unique", name="registry")
    await DynamicSupervisor.start_link(name="supervisor")
    names = [f"key {number}" for number in range(2 * SERVERS)]
    await start_all(names[:SERVERS])
    gc.collect()
    before = len(gc.get_objects())

    await start_all(names[SERVERS:])

    gc.collect()
    assert (len(gc.get_objects()) - before) / SERVERS < MAX_OBJECTS + 0.1


async def test_servers_that_start_together_share_the_time_of_their_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A number for each would take 32 bytes; it is exact to a millisecond."""
    now = 1_000.0
    monkeypatch.setattr(time, "time", lambda: now)

    async def started_at() -> float:
        pid = await Counter.start("a")
        started_at = process.info(pid).started_at
        await Counter.stop(pid)
        return started_at

    first = await started_at()
    now += 0.0004
    assert await started_at() is first
    now += 0.001
    assert await started_at() == now
    now -= 60.0  # the clock was set back
    assert await started_at() == now
