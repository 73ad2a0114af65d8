"""Actions: what they do, what they refuse, and that each one is logged."""

import asyncio
import logging
from contextlib import aclosing
from typing import Any

import pytest

from beamish import DynamicSupervisor, Pid, Supervisor, debug, process
from beamish._snapshots import actions
from beamish._snapshots.actions import TraceEnd, traced
from beamish._snapshots.supervisors import row

from .conftest import Observe
from .support import Slow, Worker, act, ask, start_workers, streaming, until


def pid_of(name: str) -> Pid:
    pid = process.whereis(name)
    assert pid is not None
    return pid


def restarts_used() -> int:
    used = row(pid_of("Test.Pair")._process).restarts
    assert used is not None
    return used.used


async def test_kill_ends_a_process(observe: Observe) -> None:
    url, first = await observe(allow_actions=True), pid_of("first")

    found = await act(url, first, "kill")

    assert found.json == {"result": "killed"}
    assert not process.is_alive(first)
    await until(lambda: process.whereis("first"))
    assert restarts_used() == 1


async def test_stop_lets_a_server_clean_up(observe: Observe) -> None:
    url, first = await observe(allow_actions=True), pid_of("first")

    found = await act(url, first, "stop")

    assert found.json == {"result": "stopped"}
    assert not process.is_alive(first)
    assert restarts_used() == 0  # a transient child that shuts down is not restarted


async def test_stop_tells_a_spawned_process_to_end(observe: Observe) -> None:
    url, pid = await observe(allow_actions=True), process.spawn(asyncio.Event().wait)

    found = await act(url, pid, "stop")

    assert found.json == {"result": "told to stop"}
    await until(lambda: not process.is_alive(pid))


async def test_restart_replaces_a_child_and_counts_as_no_restart(observe: Observe) -> None:
    url, first = await observe(allow_actions=True), pid_of("first")

    found = await act(url, first, "restart")

    assert found.json == {"result": f"restarted as {pid_of('first')!r}"}
    assert pid_of("first") is not first
    assert restarts_used() == 0


async def test_restart_of_a_dynamic_child_is_refused(observe: Observe) -> None:
    url, (pid,) = await observe(allow_actions=True), await start_workers(1)

    found = await act(url, pid, "restart")

    assert found.status == 409
    assert "kill it, and its supervisor restarts it" in found.json["error"]
    assert process.is_alive(pid)


async def test_restart_of_a_temporary_child_is_refused(observe: Observe) -> None:
    url = await observe(allow_actions=True)
    spec = Worker.child_spec(name="temporary").replace(restart="temporary")
    pid = await Supervisor.start_child("Test.Pair", spec)

    assert (await act(url, pid, "restart")).status == 409
    assert process.is_alive(pid)


async def test_suspend_and_resume_a_server(observe: Observe) -> None:
    url, first = await observe(allow_actions=True), pid_of("first")

    assert (await act(url, first, "suspend")).json == {"result": "suspended"}
    assert (await debug.get_status(first)).status == "suspended"
    assert (await act(url, first, "resume")).json == {"result": "resumed"}
    assert (await debug.get_status(first)).status == "running"


@pytest.mark.parametrize("action", ["suspend", "resume", "trace"])
async def test_process_that_is_not_a_server_is_explained(observe: Observe, action: str) -> None:
    url, pid = await observe(allow_actions=True), process.spawn(asyncio.Event().wait)

    found = await act(url, pid, action)

    assert found.status == 409
    assert f"is not a server: {action} needs one" in found.json["error"]
    process.exit(pid, "kill")


async def test_action_on_a_dead_process_is_explained(observe: Observe) -> None:
    url, pid = await observe(allow_actions=True), process.spawn(asyncio.Event().wait)
    process.exit(pid, "kill")
    await until(lambda: not process.is_alive(pid))

    assert (await act(url, pid, "kill")).status == 404


async def test_unknown_action_names_the_actions(observe: Observe) -> None:
    url = await observe(allow_actions=True)

    found = await act(url, pid_of("first"), "boost")

    assert found.status == 404
    assert "use kill, stop, restart, suspend, resume, trace" in found.json["error"]


async def test_stuck_server_is_named_with_its_place(
    observe: Observe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "ACTION_SECONDS", 0.01)
    url = await observe(allow_actions=True)
    waiting = asyncio.create_task(Worker.wait("first"))
    await until(lambda: pid_of("first")._process.current_callback())

    found = await act(url, pid_of("first"), "suspend")

    assert found.status == 504
    assert "busy with wait" in found.json["error"]
    waiting.cancel()


async def test_restart_goes_on_after_its_time(
    observe: Observe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "ACTION_SECONDS", 0.01)
    url, latch = await observe(allow_actions=True), asyncio.Event()
    slow = await Supervisor.start_child("Test.Pair", Slow.child_spec(latch, name="slow"))

    found = await act(url, slow, "restart")
    latch.set()

    assert found.status == 409
    assert "the restart goes on" in found.json["error"]
    await until(lambda: process.whereis("slow") not in (None, slow))


async def test_each_action_is_logged_with_its_peer(
    observe: Observe, caplog: pytest.LogCaptureFixture
) -> None:
    url, first = await observe(allow_actions=True), pid_of("first")

    with caplog.at_level(logging.WARNING, "beamish.observer"):
        await act(url, first, "suspend")
        await act(url, first, "restart")
        await act(url, first, "suspend")

    said = [record.getMessage() for record in caplog.records if "observer" in record.name]
    assert said[0] == f"observer: 127.0.0.1: suspend process {first.serial}: suspended"
    assert said[1].startswith(f"observer: 127.0.0.1: restart process {first.serial}: restarted as")
    assert said[2].startswith(f"observer: 127.0.0.1 could not suspend process {first.serial}: ")
    assert (await ask(url, "api/overview")).json["actions"] == 2


# -- Traces


async def test_trace_shows_what_a_server_does(observe: Observe) -> None:
    url, header = await observe(allow_actions=True), {"X_Beamish_Action": "trace"}

    async with streaming(url, "api/process/first/trace", "POST", **header) as stream:
        await Worker.add("first", 41)
        found = [await stream.next() for _ in range(3)]

    texts = [data["text"] for _, data in found]
    assert [event for event, _ in found] == ["traced"] * 3
    assert texts[0].startswith("received call add(41) from ")
    assert texts[1] == "changed number = 42"
    assert texts[2] == "handled add, which returned 42"
    await until(lambda: pid_of("first")._process.debugging is None)


async def test_end_of_a_trace_leaves_the_traces_of_others(program: Pid) -> None:
    others: list[Any] = []
    await debug.trace("first", others.append)

    async with traced("first") as events, aclosing(events):  # type: ignore[type-var]
        await Worker.add("first", 1)
        await anext(events)
    before = len(others)
    await Worker.add("first", 1)

    assert len(others) > before > 0


async def test_traced_server_takes_direct_calls_again(program: Pid) -> None:
    async with traced("first"):
        assert pid_of("first")._process.debugging is not None

    assert pid_of("first")._process.debugging is None


async def test_trace_ends_after_its_time(program: Pid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "TRACE_SECONDS", 0.01)

    async with traced("first") as events:
        found = [event async for event in events]

    assert found == [TraceEnd("0.01 s are over")]


async def test_trace_ends_after_its_limit(program: Pid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "MAX_TRACE_EVENTS", 4)

    async with traced("first") as events:
        for _ in range(100):
            await Worker.add("first", 1)
        found = [event async for event in events]

    assert len(found) == 5
    assert found[-1] == TraceEnd("4 events have been shown")


async def test_trace_ends_with_its_process(program: Pid) -> None:
    (pid,) = await start_workers(1)

    async with traced(str(pid.serial)) as events:
        await DynamicSupervisor.terminate_child("Test.Workers", pid)
        found = [event async for event in events]

    assert found[-1] == TraceEnd("the process has exited")
