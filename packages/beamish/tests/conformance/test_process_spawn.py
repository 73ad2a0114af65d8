"""``spawn``, ``spawn_link``, ``spawn_monitor``: an async function as a process.

Sources: Elixir ``Process.spawn/2`` and ``spawn_link/1``; Erlang reference manual, "Processes".
"""

import asyncio

import pytest

from beamish import Down, Exit, ExitError, NoProcessError, process


async def test_spawn_runs_the_function_with_its_arguments() -> None:
    async with process.attach() as me:

        async def add(first: int, second: int) -> None:
            process.send(me, first + second)

        process.spawn(add, 2, 3)

        assert await process.receive(timeout=50) == 5


async def test_spawned_process_is_alive_until_its_function_returns() -> None:
    async with process.attach():
        gate = asyncio.Event()
        pid, ref = process.spawn_monitor(gate.wait)

        assert process.is_alive(pid)
        gate.set()

        assert await process.receive(timeout=50) == Down(ref, pid, "normal")
        assert not process.is_alive(pid)


async def test_returned_value_is_not_the_exit_reason() -> None:
    async with process.attach():

        async def answer() -> int:
            return 42

        pid, ref = process.spawn_monitor(answer)

        assert await process.receive(timeout=50) == Down(ref, pid, "normal")


async def test_spawn_works_outside_a_process() -> None:
    done = asyncio.Event()

    async def finish() -> None:
        done.set()

    process.spawn(finish)

    await asyncio.wait_for(done.wait(), 5)


async def test_spawn_link_needs_a_process() -> None:
    async def nothing() -> None:
        pass

    with pytest.raises(NoProcessError):
        process.spawn_link(nothing)


async def test_spawn_monitor_of_a_function_that_fails_at_once_gives_its_exception() -> None:
    """The monitor is there before the process runs: never ``noproc``."""
    async with process.attach():
        problem = ValueError("at once")

        async def fail() -> None:
            raise problem

        pid, ref = process.spawn_monitor(fail)

        assert await process.receive(timeout=50) == Down(ref, pid, problem)


async def test_spawned_function_that_fails_does_not_harm_an_unlinked_starter(settle) -> None:
    async with process.attach():

        async def fail() -> None:
            raise ValueError("alone")

        process.spawn(fail)
        await settle()

        with pytest.raises(TimeoutError):
            await process.receive(timeout=0)


async def test_spawn_link_ends_the_starter_with_the_exception() -> None:
    problem = ValueError("together")

    async def fail() -> None:
        raise problem

    with pytest.raises(ExitError) as caught:
        async with process.attach():
            process.spawn_link(fail)
            await asyncio.Event().wait()

    assert caught.value.reason is problem
    assert caught.value.__cause__ is problem


async def test_spawn_link_tells_a_trapping_starter() -> None:
    problem = ValueError("together")

    async def fail() -> None:
        raise problem

    async with process.attach():
        process.flag(trap_exit=True)

        pid = process.spawn_link(fail)

        assert await process.receive(timeout=50) == Exit(pid, problem)


async def test_normal_end_does_not_harm_a_linked_starter(settle) -> None:
    async with process.attach() as me:

        async def nothing() -> None:
            pass

        process.spawn_link(nothing)
        await settle()

        assert process.is_alive(me)


async def test_spawned_function_receives_messages() -> None:
    async with process.attach() as me:

        async def double() -> None:
            number = await process.receive()
            process.send(me, number * 2)

        pid = process.spawn(double)
        process.send(pid, 21)

        assert await process.receive(timeout=50) == 42


async def test_exit_signal_cancels_the_function_and_waits_for_its_cleanup() -> None:
    async with process.attach():
        steps: list[str] = []
        started = asyncio.Event()

        async def work() -> None:
            try:
                started.set()
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                steps.append("cleaned")
            steps.append("went on")

        pid, ref = process.spawn_monitor(work)
        await started.wait()
        process.exit(pid, "enough")

        assert await process.receive(timeout=50) == Down(ref, pid, "enough")
        assert steps == ["cleaned"]


async def test_exit_signal_before_the_first_step_ends_it_unstarted(settle) -> None:
    async with process.attach():
        ran: list[str] = []

        async def work() -> None:
            ran.append("ran")
            await asyncio.Event().wait()
            ran.append("went on")

        pid, ref = process.spawn_monitor(work)
        process.exit(pid, "enough")

        assert await process.receive(timeout=50) == Down(ref, pid, "enough")
        await settle()
        assert "went on" not in ran


async def test_process_that_exits_itself_goes_no_further() -> None:
    """Elixir ``Process.exit/2``: ``"normal"`` counts when a process sends it to itself."""
    async with process.attach():
        steps: list[str] = []

        async def leave() -> None:
            process.exit(process.current(), "normal")
            await asyncio.sleep(0)
            steps.append("went on")

        pid, ref = process.spawn_monitor(leave)

        assert await process.receive(timeout=50) == Down(ref, pid, "normal")
        assert steps == []


async def test_cancelled_error_out_of_a_spawned_function_is_an_abnormal_exit() -> None:
    """A function that ends by a cancellation that nobody sent must not look like success."""
    async with process.attach():

        async def await_something_cancelled() -> None:
            future = asyncio.get_running_loop().create_future()
            future.cancel()
            await future

        pid, ref = process.spawn_monitor(await_something_cancelled)

        down = await process.receive(timeout=50)
        assert (down.ref, down.pid) == (ref, pid)
        assert down.reason != "normal"


async def test_thousand_spawned_processes_all_report() -> None:
    async with process.attach() as me:

        async def tell(number: int) -> None:
            process.send(me, number)

        for number in range(1000):
            process.spawn(tell, number)

        received = [await process.receive(timeout=50) for _ in range(1000)]
        assert sorted(received) == list(range(1000))
