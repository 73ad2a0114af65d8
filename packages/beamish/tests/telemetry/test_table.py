"""The table of events in docs/telemetry.md, ``telemetry.EVENTS``, and what is emitted: the same."""

import ast
import asyncio
import functools
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from beamish import (
    ChildSpec,
    Down,
    DynamicSupervisor,
    ExitError,
    GenServer,
    Supervisor,
    Task,
    call,
    cast,
    debug,
    process,
    telemetry,
)

ROOT = Path(__file__).parents[4]
SOURCE = ROOT / "packages/beamish/src/beamish"
PAGE = (ROOT / "docs/telemetry.md").read_text()


def documented() -> dict[telemetry.Event, telemetry.Keys]:
    rows = re.findall(r"^\| `(beamish\.[a-z_.]+)` \|([^|]*)\|([^|]*)\|", PAGE, re.MULTILINE)
    return {tuple(name.split(".")): telemetry.Keys(keys(m), keys(f)) for name, m, f in rows}


def keys(cell: str) -> tuple[str, ...]:
    return tuple(re.findall(r"`(\w+)`", cell))


def test_table_and_events_are_the_same() -> None:
    assert documented() == dict(telemetry.EVENTS)


def test_each_measurement_and_fact_is_explained() -> None:
    explained = set()
    for cell in re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| [^|]+ \|$", PAGE, re.MULTILINE):
        explained.update(keys(cell))
    used = {key for known in telemetry.EVENTS.values() for part in known for key in part}

    assert used <= explained


def test_no_module_names_an_event_that_is_not_in_the_table() -> None:
    prefixes = {event[:length] for event in telemetry.EVENTS for length in range(1, 4)}
    named = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Tuple) and node.elts:
                parts = [e.value if isinstance(e, ast.Constant) else None for e in node.elts]
                if parts[0] == "beamish" and all(isinstance(part, str) for part in parts):
                    named.add(tuple(parts))

    assert named
    assert named <= prefixes


class Worker(GenServer, restart="transient"):
    def __init__(self) -> None:
        self.release = asyncio.Event()

    @call(timeout=None)
    def block_until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            time.sleep(0.01)

    @call
    def crash(self) -> None:
        raise ValueError("crash")

    @cast
    async def wait(self) -> None:
        await self.release.wait()


async def work_in_all_ways(seen, until, caplog) -> None:
    async with process.attach():
        sup = await DynamicSupervisor.start_link(max_restarts=1, intensity="child")
        pid = await DynamicSupervisor.start_child(sup, Worker.child_spec(name="worker"))
        await Worker.block_until(pid, lambda: "long schedule" in caplog.text)
        await until(lambda: seen.of("process", "long_schedule"))
        for _ in range(2):
            with pytest.raises(ExitError):
                await Worker.crash("worker")
            await until(lambda: seen.of("supervisor"))
        waiting = await Worker.start_link()
        for _ in range(5):
            Worker.wait(waiting)
        await until(lambda: seen.of("process", "long_message_queue"))
        await Supervisor.stop(sup)
        assert await Task.await_(Task.async_(asyncio.sleep, 0, "slept")) == "slept"


@pytest.mark.usefixtures("quick_watchdog")
async def test_events_come_with_what_the_table_says(seen, until, caplog) -> None:
    debug.system_monitor(long_message_queue=3)

    await work_in_all_ways(seen, until, caplog)

    emitted = {e.event: telemetry.Keys(tuple(e.measurements), tuple(e.metadata)) for e in seen.all}
    assert {event: sorted_keys(found) for event, found in emitted.items()} == {
        event: sorted_keys(known) for event, known in telemetry.EVENTS.items()
    }
    assert all(
        sorted_keys(telemetry.Keys(tuple(e.measurements), tuple(e.metadata)))
        == sorted_keys(telemetry.EVENTS[e.event])
        for e in seen.all
    )
    assert all(isinstance(n, int | float) for e in seen.all for n in e.measurements.values())


def sorted_keys(known: telemetry.Keys) -> tuple[list[str], list[str]]:
    return sorted(known.measurements), sorted(known.metadata)


async def test_every_start_has_its_exit(seen) -> None:
    async with process.attach():
        sup = await Supervisor.start_link([Worker])
        _, ref = process.spawn_monitor(asyncio.sleep, 0)
        await Supervisor.stop(sup)
        await process.receive(
            match=lambda message: isinstance(message, Down) and message.ref == ref
        )

    started = [(e.metadata["pid"], e.metadata["class"]) for e in seen.of("process", "start")]
    ended = [(e.metadata["pid"], e.metadata["class"]) for e in seen.of("process", "exit")]
    assert sorted(started) == sorted(ended)
    assert {name for _, name in started} == {"attached task", "Supervisor", "Worker", "sleep"}


async def spawned() -> object:
    return process.spawn_link(asyncio.sleep, 60)


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (Worker.child_spec().start, "Worker"),
        (Worker.start_link, "Worker"),
        (functools.partial(Worker.start_link), "Worker"),
        (spawned, "spawned"),
    ],
    ids=["child_spec", "method", "partial", "function"],
)
async def test_restart_names_the_class_of_the_child(seen, until, start, expected) -> None:
    async with process.attach():
        sup = await Supervisor.start_link([ChildSpec("child", start)])
        (child,) = await Supervisor.which_children(sup)
        process.exit(child.pid, "kill")
        await until(lambda: seen.of("supervisor", "restart"))
        await Supervisor.stop(sup)

    (event,) = seen.of("supervisor", "restart")
    assert event.metadata["class"] == expected
    assert event.metadata["pid"] is child.pid
    assert event.metadata["new_pid"] > child.pid
