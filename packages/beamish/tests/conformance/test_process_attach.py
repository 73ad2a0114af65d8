"""``process.attach()``: the current asyncio task becomes a process."""

import asyncio
import contextlib

import pytest

from beamish import Down, Exit, ExitError, GenServer, Pid, process


class Crasher(GenServer):
    def handle_cast(self, request: object) -> None:
        raise ValueError(request)


async def test_attached_task_is_alive_for_the_block() -> None:
    async with process.attach() as me:
        assert process.is_alive(me)

    assert not process.is_alive(me)


async def test_end_of_the_block_is_a_normal_exit() -> None:
    attached = asyncio.get_running_loop().create_future()
    gate = asyncio.Event()

    async def visit() -> None:
        async with process.attach() as pid:
            attached.set_result(pid)
            await gate.wait()

    visit_task = asyncio.create_task(visit())
    visitor = await attached
    async with process.attach():
        ref = process.monitor(visitor)
        gate.set()

        assert await process.receive(timeout=50) == Down(ref, visitor, "normal")
    await visit_task


async def test_exception_out_of_the_block_is_the_exit_reason() -> None:
    attached = asyncio.get_running_loop().create_future()
    gate = asyncio.Event()
    problem = KeyError("lost")

    async def fail() -> None:
        async with process.attach() as pid:
            attached.set_result(pid)
            await gate.wait()
            raise problem

    fail_task = asyncio.create_task(fail())
    visitor = await attached
    async with process.attach():
        ref = process.monitor(visitor)
        gate.set()

        assert await process.receive(timeout=50) == Down(ref, visitor, problem)
    with pytest.raises(KeyError):
        await fail_task


async def test_two_blocks_are_two_processes() -> None:
    async with process.attach() as first:
        pass
    async with process.attach() as second:
        pass

    assert first != second


async def test_linked_crash_cancels_the_block_and_raises() -> None:
    with pytest.raises(ExitError) as caught:
        async with process.attach():
            pid = await Crasher.start_link()
            GenServer.cast(pid, "boom")
            await asyncio.Event().wait()

    assert isinstance(caught.value.reason, ValueError)
    assert caught.value.__cause__ is caught.value.reason


async def test_linked_crash_interrupts_receive() -> None:
    with pytest.raises(ExitError):
        async with process.attach():
            pid = await Crasher.start_link()
            GenServer.cast(pid, "boom")
            await process.receive(timeout=50)


async def test_linked_crash_is_not_missed_by_a_block_that_waits_for_nothing_more() -> None:
    with pytest.raises(ExitError) as caught:
        async with process.attach() as me:
            process.exit(me, "enough")

    assert caught.value.reason == "enough"


async def test_task_goes_on_unharmed_after_the_block_was_cancelled() -> None:
    """The cancellation belongs to the block: nothing of it is left on the task."""
    with pytest.raises(ExitError):
        async with process.attach() as me:
            process.exit(me, "enough")
            await asyncio.Event().wait()

    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await asyncio.Event().wait()


@pytest.mark.parametrize("reason", ["shutdown", ("shutdown", "moved"), "boom", 42, None])
async def test_any_reason_but_normal_ends_the_block(reason: object) -> None:
    with pytest.raises(ExitError) as caught:
        async with process.attach():

            async def leave() -> None:
                process.exit(process.current(), reason)
                await asyncio.Event().wait()

            process.spawn_link(leave)
            await asyncio.Event().wait()

    assert caught.value.reason == reason
    assert caught.value.__cause__ is None


async def test_normal_exit_of_a_linked_process_does_not_end_the_block() -> None:
    async with process.attach() as me:
        pid = await Crasher.start_link()

        await GenServer.stop(pid)
        await asyncio.sleep(0)

        assert process.is_alive(me)


async def test_trapping_block_gets_the_exit_as_a_message() -> None:
    async with process.attach() as me:
        process.flag(trap_exit=True)
        pid = await Crasher.start_link()

        GenServer.cast(pid, "boom")

        message = await process.receive(timeout=50)
        assert isinstance(message, Exit)
        assert message.pid == pid
        assert isinstance(message.reason, ValueError)
        assert process.is_alive(me)


async def test_kill_ends_a_trapping_block_as_killed() -> None:
    """Erlang ``exit/2``: a ``kill`` cannot be trapped; the reason becomes ``killed``."""
    with pytest.raises(ExitError) as caught:
        async with process.attach() as me:
            process.flag(trap_exit=True)
            process.exit(me, "kill")
            await asyncio.Event().wait()

    assert caught.value.reason == "killed"


async def test_exit_of_the_block_reaches_linked_processes() -> None:
    pids: list[Pid] = []

    with pytest.raises(KeyError):
        async with process.attach():
            pids.append(await Crasher.start_link())
            raise KeyError("lost")

    async with process.attach():
        ref = process.monitor(pids[0])
        down = await process.receive(timeout=50)
        assert down.ref == ref
    assert not process.is_alive(pids[0])


async def test_cancellation_from_outside_stays_a_cancellation() -> None:
    inside = asyncio.Event()
    pids: list[Pid] = []

    async def work() -> None:
        async with process.attach() as pid:
            pids.append(pid)
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await inside.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert not process.is_alive(pids[0])


async def test_asyncio_timeout_works_inside_the_block() -> None:
    async with process.attach() as me:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await process.receive()

        assert process.is_alive(me)


async def test_block_may_catch_nothing_of_its_own_death() -> None:
    """A block that swallows the cancellation is dead all the same."""
    with pytest.raises(ExitError) as caught:
        async with process.attach() as me:
            process.exit(me, "enough")
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    assert caught.value.reason == "enough"
    assert not process.is_alive(me)
