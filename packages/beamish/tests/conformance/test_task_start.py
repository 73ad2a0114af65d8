"""``Task.start``, ``start_link`` and ``child_spec``: tasks whose answer nobody waits for.

Sources: Elixir ``Task``, "Statically supervised tasks", ``start/1``, ``start_link/1``,
``child_spec/1``.
"""

import asyncio

import pytest

from beamish import ChildSpec, Down, ExitError, NoProcessError, Pid, Supervisor, Task, process


async def tell(receiver: Pid, message: object) -> None:
    process.send(receiver, message)


async def forever() -> None:
    await asyncio.Event().wait()


async def boom() -> None:
    raise ValueError("boom")


async def test_started_task_runs_without_a_link_and_sends_no_answer() -> None:
    async with process.attach() as me:
        pid = await Task.start(tell, me, "hello")
        ref = process.monitor(pid)

        assert await process.receive(timeout=50) == "hello"
        assert await process.receive(timeout=50) == Down(ref, pid, "normal")
        assert process.info(me).message_queue_len == 0


async def test_failure_of_a_started_task_does_no_harm() -> None:
    async with process.attach():
        pid = await Task.start(boom)
        ref = process.monitor(pid)

        down = await process.receive(timeout=50)

        assert down.ref is ref
        assert isinstance(down.reason, ValueError)


async def test_task_starts_outside_any_process_but_is_not_linked_there() -> None:
    gone = asyncio.Event()

    async def note() -> None:
        gone.set()

    await Task.start(note)
    await gone.wait()

    with pytest.raises(NoProcessError):
        await Task.start_link(note)


async def test_linked_task_takes_its_starter_along() -> None:
    with pytest.raises(ExitError):
        async with process.attach():
            await Task.start_link(boom)
            await asyncio.Event().wait()


async def test_child_spec_is_temporary() -> None:
    spec = Task.child_spec(boom)

    assert isinstance(spec, ChildSpec)
    assert (spec.id, spec.restart, spec.shutdown, spec.type) == (Task, "temporary", 5.0, "worker")
    assert Task.child_spec(boom, id="boom").id == "boom"
    with pytest.raises(TypeError, match="a task runs a function"):
        Task.child_spec("boom")  # type: ignore[arg-type]


async def test_supervised_task_is_not_restarted() -> None:
    async with process.attach() as me:
        gate = asyncio.Event()

        async def fail() -> None:
            await gate.wait()
            raise ValueError

        sup = await Supervisor.start_link([Task.child_spec(fail), Task.child_spec(forever, id=2)])
        failing, other = [child.pid for child in await Supervisor.which_children(sup)]
        assert process.info(failing).parent == sup
        ref = process.monitor(failing)

        gate.set()
        assert (await process.receive(timeout=50)).ref is ref

        assert [child.pid for child in await Supervisor.which_children(sup)] == [other]
        await Supervisor.stop(sup)
        assert process.processes() == [me]


async def test_task_is_restarted_if_its_spec_says_so() -> None:
    async with process.attach() as me:
        runs = []

        async def flaky() -> None:
            runs.append(process.current())
            if len(runs) < 3:
                raise ValueError
            process.send(me, "done")

        spec = Task.child_spec(flaky).replace(restart="transient")
        sup = await Supervisor.start_link([spec])

        assert await process.receive(timeout=50) == "done"
        assert len(set(runs)) == 3
        await Supervisor.stop(sup)
