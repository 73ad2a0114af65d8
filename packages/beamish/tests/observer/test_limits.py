"""What the snapshots do not list, keep or count: each list has an end."""

import asyncio
import itertools

import pytest

from beamish import GenServer, Pid, process, telemetry
from beamish._snapshots import actions, recorder
from beamish._snapshots.metrics import MAX_SERIES, MetricsReader
from beamish._snapshots.recorder import Recorder

from .support import Worker, read, until


async def test_queued_messages_are_listed_up_to_twenty(program: Pid) -> None:
    pid = await Worker.start()
    waiting = asyncio.create_task(Worker.wait(pid))
    await until(lambda: process.is_alive(pid) and pid._process.task is not None)
    for number in range(30):
        process.send(pid, number)

    found = await read("process", pid=str(pid.serial))

    assert (found.queue, found.messages) == (30, ["message int"] * 20)
    pid._process.server.waits.set()
    await waiting


async def test_links_are_listed_up_to_a_hundred(program: Pid) -> None:
    pids = [process.spawn(asyncio.sleep, 3_600) for _ in range(130)]
    first = await Worker.start()
    for pid in pids:
        process.send(first, pid)

    class Linking(GenServer):
        async def init(self) -> None:
            for pid in pids:
                process.link(pid)

    linking = await Linking.start()
    found = await read("process", pid=str(linking.serial))

    assert (len(found.links.first), found.links.total) == (100, 130)
    process.exit(linking, "kill")


async def test_traced_event_is_cut(program: Pid) -> None:
    pid = await Worker.start()

    async with actions.traced(str(pid.serial)) as events:
        process.send(pid, "x" * 100_000)
        event = await anext(events)

    assert isinstance(event, actions.TraceEvent)
    assert len(event.text) <= 2_000


async def test_metrics_of_further_classes_are_counted_together() -> None:
    reader = MetricsReader([("shop", "sold")], 1_000)
    for number in range(MAX_SERIES + 20):
        telemetry.execute(("shop", "sold"), {"count": 1}, {"class": f"Class{number}"})

    found = await reader.read()
    reader.close()

    assert found.total == MAX_SERIES + 1
    assert (found.rows[0].class_name, found.rows[0].count) == ("(further classes)", 20)


async def test_restarts_are_known_of_a_limited_number_of_processes(
    program: Pid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "_MAX_PREDECESSORS", 3)
    kept = Recorder()
    pids = [await Worker.start() for _ in range(6)]

    for before, after in itertools.pairwise(pids):
        kept._restarted(before, after)

    assert len(kept._lineages) == 3
    assert kept.restarts_of(pids[-1]) == 5
    assert kept.restarts_of(pids[1]) == 0
