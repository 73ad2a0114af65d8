"""``TaskSupervisor``: tasks that nobody awaits, and its own place in a tree.

Sources: Elixir ``Task.Supervisor``, ``start_child/3``, ``children/1``, ``terminate_child/2``;
``async_nolink/3``, "Compatibility with OTP behaviours".
"""

import asyncio

import pytest

from beamish import (
    Counts,
    Down,
    GenServer,
    NotFoundError,
    Ok,
    Pid,
    Stop,
    Supervisor,
    Task,
    TaskSupervisor,
    call,
    process,
)
from beamish._diagnostics import throttle

SUP = "task supervisor"


async def double(number: int) -> int:
    return 2 * number


async def forever() -> None:
    await asyncio.Event().wait()


async def boom() -> None:
    raise ValueError("boom")


async def down(ref: object) -> object:
    """Wait for the end of a monitored process; its reason."""
    message = await process.receive(timeout=5, match=lambda m: isinstance(m, Down) and m.ref is ref)
    return message.reason


async def test_started_child_is_linked_to_the_supervisor_only() -> None:
    async with process.attach():
        sup = await TaskSupervisor.start_link()

        pid = await TaskSupervisor.start_child(sup, forever)

        assert await TaskSupervisor.children(sup) == [pid]
        assert process.info(pid).links == (sup,)
        assert process.info(pid).class_name == "forever"
        await TaskSupervisor.stop(sup)
        assert not process.is_alive(pid)


@pytest.mark.parametrize(
    ("restart", "fails", "runs"),
    [("temporary", True, 1), ("transient", True, 3), ("transient", False, 1)],
)
async def test_child_is_restarted_as_it_says(restart, fails, runs) -> None:
    async with process.attach() as me:
        sup = await TaskSupervisor.start_link()
        seen: list[Pid] = []

        async def work(word: str) -> None:
            seen.append(process.current())
            process.send(me, word)
            if fails and len(seen) < 3:
                raise ValueError

        await TaskSupervisor.start_child(sup, work, "run", restart=restart)

        for _ in range(runs):
            assert await process.receive(timeout=50) == "run"
        while await TaskSupervisor.children(sup):
            await asyncio.sleep(0)
        assert len(set(seen)) == runs
        await TaskSupervisor.stop(sup)


async def test_permanent_child_that_returns_too_often_ends_the_supervisor() -> None:
    async with process.attach():
        sup = await TaskSupervisor.start_link(max_restarts=2)
        process.unlink(sup)
        ref = process.monitor(sup)

        await TaskSupervisor.start_child(sup, double, 1, restart="permanent")

        assert await down(ref) == "shutdown"


async def test_terminated_child_is_gone() -> None:
    async with process.attach():
        sup = await TaskSupervisor.start_link()
        pid = await TaskSupervisor.start_child(sup, forever, restart="permanent")

        await TaskSupervisor.terminate_child(sup, pid)

        assert not process.is_alive(pid)
        assert await TaskSupervisor.children(sup) == []
        with pytest.raises(NotFoundError):
            await TaskSupervisor.terminate_child(sup, pid)
        await TaskSupervisor.stop(sup)


async def test_child_without_a_function_is_refused() -> None:
    async with process.attach():
        sup = await TaskSupervisor.start_link()

        with pytest.raises(TypeError, match="a task runs a function"):
            await TaskSupervisor.start_child(sup, double(1))  # type: ignore[arg-type]

        await TaskSupervisor.stop(sup)


# -- In a tree


async def test_child_spec_is_that_of_a_supervisor() -> None:
    spec = TaskSupervisor.child_spec(name=SUP, max_children=3)

    assert (spec.id, spec.type, spec.shutdown, spec.restart) == (
        SUP,
        "supervisor",
        None,
        "permanent",
    )
    assert TaskSupervisor.child_spec().id is TaskSupervisor
    with pytest.raises(ValueError, match="max_children"):
        TaskSupervisor.child_spec(max_children=-1)


async def test_task_supervisor_runs_in_a_tree() -> None:
    async with Supervisor.running([TaskSupervisor, TaskSupervisor.child_spec(name=SUP)]) as top:
        found = {child.id: child.pid for child in await Supervisor.which_children(top)}

        assert found[SUP] == process.whereis(SUP)
        assert process.info(SUP).class_name == "TaskSupervisor"
        assert await Task.await_(TaskSupervisor.async_(SUP, double, 3)) == 6


class Fetcher(GenServer):
    """Starts unlinked tasks, and remembers what became of them."""

    def __init__(self, report: Pid) -> None:
        self.report = report
        self.tasks: dict[object, str] = {}

    @call
    def fetch(self, url: str) -> None:
        fn = boom if url == "bad" else lambda: url.upper()
        task = TaskSupervisor.async_nolink(SUP, fn)
        self.tasks[task.ref] = url

    def handle_info(self, message: object) -> Stop | None:
        match message:
            case (ref, value) if ref in self.tasks:
                process.demonitor(ref, flush=True)
                process.send(self.report, (self.tasks.pop(ref), value))
            case Down(ref, _, reason) if ref in self.tasks:
                process.send(self.report, (self.tasks.pop(ref), type(reason)))
            case _:
                return Stop(("unexpected", message))
        return None


async def test_server_handles_answers_and_failures_as_messages() -> None:
    async with Supervisor.running([TaskSupervisor.child_spec(name=SUP)]) as top:
        fetcher = await Supervisor.start_child(top, Fetcher.child_spec(process.current()))

        for url in ("a", "bad", "b"):
            await Fetcher.fetch(fetcher, url)

        answers = [await process.receive(timeout=50) for _ in range(3)]
        assert sorted(answers, key=str) == [("a", "A"), ("b", "B"), ("bad", ValueError)]
        assert process.is_alive(fetcher)


async def test_many_tasks_start_and_stop_in_little_time() -> None:
    async with process.attach():
        sup = await TaskSupervisor.start_link()
        tasks = [TaskSupervisor.async_nolink(sup, double, number) for number in range(2000)]

        answers = await Task.yield_many(tasks)

        assert [answer for _, answer in answers] == [Ok(2 * number) for number in range(2000)]
        assert await TaskSupervisor.count_children(sup) == Counts(0, 0, 0, 0)
        await TaskSupervisor.stop(sup)


async def test_many_crashes_of_a_restarted_task_are_summarised(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "WINDOW_SECONDS", 1_000.0)  # it does not end in the test
    async with process.attach():
        sup = await TaskSupervisor.start_link(max_restarts=50)
        process.unlink(sup)
        ref = process.monitor(sup)

        await TaskSupervisor.start_child(sup, boom, restart="transient")

        assert await down(ref) == "shutdown"
        reports = [record for record in caplog.records if "terminating" in record.message]
        assert 1 <= len(reports) <= 3
