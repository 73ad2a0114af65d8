"""Figures of the snapshots in cases at their edges."""

import asyncio

import pytest

from beamish import Pid, Registry, Supervisor, process
from beamish._snapshots import recorder
from beamish._snapshots.overview import OverviewReader
from beamish._snapshots.recorder import Recorder

from .support import REGISTRY, Worker, read, start_workers, until


async def test_rate_is_never_negative_after_processes_have_exited(program: Pid) -> None:
    kept = Recorder()
    kept.begin()
    reader, pid = OverviewReader(kept), await Worker.start()
    for _ in range(50):
        await Worker.add(pid, 1)
    await reader.read()
    process.exit(pid, "kill")
    await until(lambda: not process.is_alive(pid))

    found = await reader.read()
    kept.end()

    assert found.handled_per_second == 0


async def test_longest_mailbox_of_a_class_is_not_the_sum(program: Pid) -> None:
    pids = [await Worker.start() for _ in range(2)]
    waiting = [asyncio.create_task(Worker.wait(pid)) for pid in pids]
    await until(lambda: all(pid._process.task is not None for pid in pids))
    for number, pid in zip((3, 5), pids, strict=True):
        for _ in range(number):
            process.send(pid, None)

    found = await read("overview")
    page = await read("processes", search="supervisor")

    (counted,) = [count for count in found.classes if count.class_name == "Worker"]
    assert (counted.queued, counted.longest) == (8, 5)
    # The figures of the page are those of the program, whatever is searched.
    assert page.queued == 8
    for pid in pids:
        pid._process.server.waits.set()
    await asyncio.gather(*waiting)


async def test_load_of_an_overview_that_was_closed_long_ago_is_not_a_sample(
    program: Pid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "SAMPLE_SECONDS", 0.001)
    kept = Recorder()
    kept.begin()
    kept._load = asyncio.get_running_loop().time() - 31.0, 7.0, 3

    await until(lambda: kept.samples)
    kept.end()

    assert (kept.samples[0].handled, kept.samples[0].queued) == (None, None)


async def test_search_in_a_registry_ignores_upper_and_lower_case(program: Pid) -> None:
    (pid,) = await start_workers(1)

    class Shop(Worker):
        pass

    other = await Shop.start(name=Registry.via(REGISTRY, "Order:Zürich"))
    found = await read("registries", pid=REGISTRY, search="ORDER:zÜ")

    assert [entry.pid for entry in found.entries] == [other]
    assert pid != other
    process.exit(other, "kill")


async def test_supervisor_that_allows_no_restart_is_sorted(program: Pid) -> None:
    async with Supervisor.running([], name="Strict", max_restarts=0):
        found = await read("supervisors")

    (row,) = [row for row in found.rows if row.name == "Strict"]
    assert row.restarts is not None
    assert (row.restarts.used, row.restarts.allowed) == (0, 0)
