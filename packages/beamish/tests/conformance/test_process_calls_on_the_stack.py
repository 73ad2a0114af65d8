"""A call that is answered on the caller's stack differs in nothing from one that is queued.

Each of these holds with direct dispatch on and off (``BEAMISH_DIRECT=0``).
"""

import asyncio
import contextlib
import contextvars

import pytest

from beamish import Down, Exit, ExitError, From, GenServer, Pid, call, process

WHERE: contextvars.ContextVar[str] = contextvars.ContextVar("WHERE", default="nowhere")


class Killer(GenServer):
    """Sends the exit signals it is asked for, from a plain callback."""

    def handle_call(self, request: tuple[Pid, object], from_: From) -> str:
        process.exit(*request)
        return "done"


class Crasher(GenServer):
    def handle_call(self, request: object, from_: From) -> object:
        raise ValueError(request)


class Relay(GenServer):
    """Passes a call on to the next of a chain."""

    def __init__(self, following: Pid | None = None) -> None:
        self.following = following

    async def handle_call(self, request: int, from_: From) -> int:
        if self.following is None:
            return request
        return await GenServer.call(self.following, request + 1)


@pytest.mark.parametrize(("signal", "reason"), [("boom", "boom"), ("kill", "killed")])
async def test_server_killed_by_the_one_it_calls_does_not_get_the_answer(
    signal: str, reason: str, settle
) -> None:
    async with process.attach():
        steps: list[str] = []
        killer = await Killer.start()

        class Victim(GenServer):
            async def handle_cast(self, request: object) -> None:
                try:
                    steps.append("calls")
                    await GenServer.call(killer, (self.pid, signal))
                    steps.append("went on")
                finally:
                    steps.append("left")

        victim = await Victim.start()
        ref = process.monitor(victim)

        GenServer.cast(victim, "go")

        assert await process.receive(timeout=50) == Down(ref, victim, reason)
        assert steps == ["calls", "left"]
        assert process.is_alive(killer)


async def test_attached_task_killed_by_the_one_it_calls_does_not_get_the_answer() -> None:
    steps: list[str] = []
    killer = await Killer.start()

    with pytest.raises(ExitError) as caught:
        async with process.attach() as me:
            await GenServer.call(killer, (me, "boom"))
            steps.append("went on")

    assert caught.value.reason == "boom"
    assert steps == []
    assert process.is_alive(killer)


async def test_server_that_kills_the_caller_of_another_harms_only_that() -> None:
    killer, other = await Killer.start(), await Relay.start()

    assert await GenServer.call(killer, (other, "boom")) == "done"

    assert not process.is_alive(other)
    assert process.is_alive(killer)


async def test_crash_of_a_linked_server_in_a_call_ends_the_caller_with_its_reason() -> None:
    with pytest.raises(ExitError) as caught:
        async with process.attach():
            pid = await Crasher.start_link()
            await GenServer.call(pid, "boom")

    assert isinstance(caught.value.reason, ValueError)


async def test_caller_that_catches_the_error_of_a_linked_server_dies_all_the_same() -> None:
    """The link's exit signal does not care for the ``except`` around the call."""
    steps: list[str] = []

    with pytest.raises(ExitError) as caught:
        async with process.attach():
            pid = await Crasher.start_link()
            with contextlib.suppress(ExitError):
                await GenServer.call(pid, "boom")
            await asyncio.Event().wait()
            steps.append("went on")

    assert isinstance(caught.value.reason, ValueError)
    assert steps == []
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_trapping_caller_gets_the_error_and_the_exit_message() -> None:
    async with process.attach():
        process.flag(trap_exit=True)
        pid = await Crasher.start_link()

        with pytest.raises(ExitError) as caught:
            await GenServer.call(pid, "boom")

        assert await process.receive(timeout=50) == Exit(pid, caught.value.reason)


async def test_server_dies_with_the_linked_one_it_calls() -> None:
    async with process.attach():

        class Parent(GenServer):
            async def init(self) -> None:
                self.child = await Crasher.start_link()

            async def handle_cast(self, request: object) -> None:
                with contextlib.suppress(ExitError):
                    await GenServer.call(self.child, request)
                await asyncio.Event().wait()

        pid = await Parent.start()
        process.monitor(pid)

        GenServer.cast(pid, "boom")

        down = await process.receive(timeout=50)
        assert isinstance(down.reason, ValueError)


async def test_long_chain_of_calls_does_not_overflow_the_stack() -> None:
    following = None
    for _ in range(1000):
        following = await Relay.start(following)

    assert await GenServer.call(following, 0, timeout=30) == 999


async def test_context_variable_set_by_a_server_does_not_leak_into_its_caller() -> None:
    class Sets(GenServer):
        @call
        def sync(self) -> None:
            WHERE.set("server")

        @call
        async def suspended(self) -> None:
            WHERE.set("server")
            await asyncio.sleep(0)

    pid = await Sets.start()

    await Sets.sync(pid)
    await Sets.suspended(pid)

    assert WHERE.get() == "nowhere"


async def test_init_on_the_stack_does_not_leak_into_the_starter() -> None:
    class Sets(GenServer):
        def __init__(self) -> None:
            WHERE.set("server")

        def init(self) -> None:
            WHERE.set("server")

    await Sets.start()

    assert WHERE.get() == "nowhere"


async def test_plain_server_that_is_called_by_many_at_once_serves_them_in_turn() -> None:
    order: list[int] = []

    class Serves(GenServer):
        def handle_call(self, request: int, from_: From) -> int:
            order.append(request)
            return request

    pid = await Serves.start()

    answers = await asyncio.gather(*(GenServer.call(pid, number) for number in range(100)))

    assert answers == order == list(range(100))


async def test_callback_may_start_and_stop_servers_while_it_is_on_a_callers_stack() -> None:
    class Manager(GenServer):
        async def handle_call(self, request: int, from_: From) -> int:
            pids = [await Relay.start() for _ in range(request)]
            answers = [await GenServer.call(pid, number) for number, pid in enumerate(pids)]
            for pid in pids:
                await GenServer.stop(pid)
            return sum(answers)

    manager = await Manager.start()

    assert await GenServer.call(manager, 20) == sum(range(20))
