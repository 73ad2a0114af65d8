"""``process.exit`` and ``process.flag(trap_exit=...)``.

Sources: Elixir ``Process.exit/2``, ``flag/2``; Erlang reference manual, "Processes", Exit signals.
"""

import asyncio

import pytest

from beamish import Down, Exit, ExitError, GenServer, Pid, process


class Plain(GenServer):
    def handle_call(self, request: object, from_: object) -> object:
        return request

    def handle_cast(self, request: object) -> None:
        process.exit(self.pid, request)


class Trapping(GenServer, trap_exit=True):
    def __init__(self, watcher: Pid) -> None:
        self.watcher = watcher

    def handle_info(self, message: object) -> None:
        process.send(self.watcher, message)

    def handle_call(self, request: object, from_: object) -> object:
        return request


class Inherits(Trapping):
    pass


@pytest.mark.parametrize("reason", ["shutdown", ("shutdown", 1), "boom", 42, None, "killed"])
async def test_exit_signal_ends_a_process_that_does_not_trap(reason: object) -> None:
    async with process.attach():
        pid = await Plain.start()
        ref = process.monitor(pid)

        process.exit(pid, reason)

        assert await process.receive(timeout=50) == Down(ref, pid, reason)


async def test_exit_with_an_exception_carries_it() -> None:
    async with process.attach():
        problem = ValueError("boom")
        pid = await Plain.start()
        process.monitor(pid)

        process.exit(pid, problem)

        assert (await process.receive(timeout=50)).reason is problem


async def test_normal_is_ignored_by_others() -> None:
    async with process.attach():
        pid = await Plain.start()

        process.exit(pid, "normal")

        assert await GenServer.call(pid, "still here") == "still here"


async def test_normal_sent_to_oneself_counts() -> None:
    """Elixir ``Process.exit/2``: the one case where ``normal`` ends a process."""
    with pytest.raises(ExitError) as caught:
        async with process.attach() as me:
            process.exit(me, "normal")
            await asyncio.Event().wait()

    assert caught.value.reason == "normal"


@pytest.mark.parametrize("reason", ["normal", "shutdown", "boom", "killed"])
async def test_trapping_server_gets_the_signal_as_a_message(reason: object) -> None:
    async with process.attach() as me:
        pid = await Trapping.start(me)

        process.exit(pid, reason)

        assert await process.receive(timeout=50) == Exit(me, reason)
        assert await GenServer.call(pid, "still here") == "still here"


@pytest.mark.parametrize("reason", ["normal", "boom"])
async def test_trapping_process_gets_its_own_signal_as_a_message(reason: object) -> None:
    async with process.attach() as me:
        process.flag(trap_exit=True)

        process.exit(me, reason)

        assert await process.receive(timeout=50) == Exit(me, reason)


async def test_kill_cannot_be_trapped() -> None:
    async with process.attach() as me:
        pid = await Trapping.start(me)
        ref = process.monitor(pid)

        process.exit(pid, "kill")

        assert await process.receive(timeout=50) == Down(ref, pid, "killed")


async def test_exit_of_a_dead_process_is_silent() -> None:
    pid = await Plain.start()
    await GenServer.stop(pid)

    process.exit(pid, "boom")
    process.exit(pid, "kill")


async def test_second_signal_does_not_change_the_reason() -> None:
    async with process.attach():
        pid = await Plain.start()
        ref = process.monitor(pid)

        process.exit(pid, "first")
        process.exit(pid, "second")

        assert await process.receive(timeout=50) == Down(ref, pid, "first")


async def test_exit_works_outside_a_process() -> None:
    pid = await Plain.start()

    process.exit(pid, "boom")

    with pytest.raises(ExitError):
        await GenServer.call(pid, "ping")


async def test_server_that_exits_itself_dies_with_that_reason() -> None:
    async with process.attach():
        pid = await Plain.start()
        ref = process.monitor(pid)

        GenServer.cast(pid, "enough of myself")

        assert await process.receive(timeout=50) == Down(ref, pid, "enough of myself")


async def test_flag_gives_the_old_value() -> None:
    async with process.attach():
        assert process.flag(trap_exit=True) is False
        assert process.flag(trap_exit=True) is True
        assert process.flag(trap_exit=False) is True
        assert process.flag(trap_exit=False) is False


async def test_flag_needs_a_process() -> None:
    with pytest.raises(LookupError):
        process.flag(trap_exit=True)


async def test_untrapping_again_makes_signals_deadly() -> None:
    with pytest.raises(ExitError) as caught:
        async with process.attach() as me:
            process.flag(trap_exit=True)
            process.flag(trap_exit=False)
            process.exit(me, "boom")
            await asyncio.Event().wait()

    assert caught.value.reason == "boom"


async def test_flag_set_in_a_callback_holds_for_the_server() -> None:
    async with process.attach() as me:

        class Late(GenServer):
            def init(self) -> None:
                process.flag(trap_exit=True)

            def handle_info(self, message: object) -> None:
                process.send(me, message)

        pid = await Late.start()

        process.exit(pid, "boom")

        assert await process.receive(timeout=50) == Exit(me, "boom")


async def test_class_keyword_traps_from_the_start_and_is_inherited() -> None:
    async with process.attach() as me:
        pid = await Inherits.start(me)

        process.exit(pid, "boom")

        assert await process.receive(timeout=50) == Exit(me, "boom")
        assert process.info(pid).trap_exit is True


async def test_subclass_can_stop_trapping() -> None:
    async with process.attach() as me:

        class Mortal(Trapping, trap_exit=False):
            pass

        pid = await Mortal.start(me)
        ref = process.monitor(pid)

        process.exit(pid, "boom")

        assert await process.receive(timeout=50) == Down(ref, pid, "boom")
