"""Defects that servers once had, and must not have again."""

import asyncio
import contextlib
import copy
import dataclasses
import enum
from collections.abc import Awaitable, Callable
from contextvars import ContextVar

import pytest

from beamish import (
    BeamishError,
    CallTimeoutError,
    ChildInfo,
    DynamicSupervisor,
    ExitError,
    GenServer,
    Pid,
    Reply,
    Stop,
    Timeout,
    call,
    cast,
    debug,
    process,
    telemetry,
)

Settle = Callable[[], Awaitable[None]]

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)


class Desk(GenServer):
    """Its methods have parameters with all kinds of names."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    @cast
    def note(self, process: str) -> None:
        self.notes.append(process)

    @call
    def visit(self, enter: str) -> str:
        return enter

    @call
    def fields(self, **fields: object) -> dict[str, object]:
        return fields

    @call(timeout=50)
    def noted(self) -> list[str]:
        return self.notes


class Absorbed(GenServer):
    """Its ``handle_info`` takes until ``gate`` is set."""

    def __init__(self, gate: asyncio.Event, *, at_once: bool = False) -> None:
        self.gate = gate
        self.at_once = at_once
        self.inside = False

    def init(self) -> Timeout | None:
        return Timeout(0) if self.at_once else None

    @call
    def begin(self) -> Reply:
        return Reply("begun", then=Timeout(0))

    @cast
    def note(self) -> None:
        pass

    async def handle_info(self, message: object) -> None:
        self.inside = True
        await self.gate.wait()
        self.inside = False

    @call
    def is_inside(self) -> bool:
        return self.inside


async def answered_inside(pid: Pid, gate: asyncio.Event, settle: Settle) -> bool:
    """Return whether a call is answered while ``handle_info`` is suspended."""
    Absorbed.note(pid)
    await settle()
    asking = asyncio.create_task(Absorbed.is_inside(pid))
    await settle()
    gate.set()
    return await asking


async def test_cast_may_have_a_parameter_called_process() -> None:
    pid = await Desk.start()

    Desk.note(pid, "checkout")

    assert await Desk.noted(pid) == ["checkout"]


async def test_call_may_have_a_parameter_called_enter() -> None:
    pid = await Desk.start()

    assert await Desk.visit(pid, "door") == "door"


async def test_field_called_self_does_not_crash_the_server() -> None:
    pid = await Desk.start()

    with contextlib.suppress(TypeError):
        assert await Desk.fields(pid, self=1) == {"self": 1}

    assert process.is_alive(pid)


async def test_cast_refused_in_another_thread_leaves_the_server_at_work() -> None:
    pid = await Desk.start()

    with pytest.raises(BeamishError):
        await asyncio.to_thread(Desk.note, pid, "checkout")

    assert "checkout" not in await Desk.noted(pid)


def test_cast_refused_while_the_loop_stands_leaves_the_server_at_work() -> None:
    with contextlib.closing(asyncio.new_event_loop()) as loop:
        pid = loop.run_until_complete(Desk.start())

        with contextlib.suppress(BeamishError):
            Desk.note(pid, "checkout")

        assert loop.run_until_complete(Desk.noted(pid)) in ([], ["checkout"])


async def test_send_from_another_thread_to_a_spawned_process_is_refused() -> None:
    pid = process.spawn(process.receive)
    await asyncio.sleep(0)

    with pytest.raises(BeamishError):
        await asyncio.to_thread(process.send, pid, "hello")

    assert process.is_alive(pid)


async def test_callbacks_do_not_overlap_after_a_reply_with_timeout_zero(settle: Settle) -> None:
    """Contract: one message at a time, also while an async callback is suspended."""
    gate = asyncio.Event()
    pid = await Absorbed.start(gate)

    await Absorbed.begin(pid)

    assert not await answered_inside(pid, gate, settle)


async def test_callbacks_do_not_overlap_after_an_init_with_timeout_zero(settle: Settle) -> None:
    gate = asyncio.Event()
    pid = await Absorbed.start(gate, at_once=True)

    assert not await answered_inside(pid, gate, settle)


async def test_callbacks_do_not_overlap_after_a_message_from_a_start_handler(
    settle: Settle,
) -> None:
    gate = asyncio.Event()
    event = ("beamish", "process", "start")
    telemetry.attach("hello", event, lambda _event, _m, facts: process.send(facts["pid"], "hi"))

    pid = await Absorbed.start(gate)
    telemetry.detach("hello")

    assert not await answered_inside(pid, gate, settle)


async def test_timeout_stays_armed_when_debug_only_looks() -> None:
    class Armed(GenServer):
        def __init__(self, done: asyncio.Future[object]) -> None:
            self.done = done

        @cast
        def arm(self) -> Timeout:
            return Timeout(0.005)

        def handle_info(self, message: object) -> None:
            self.done.set_result(message)

    done = asyncio.get_running_loop().create_future()
    pid = await Armed.start(done)
    Armed.arm(pid)

    await debug.get_state(pid)

    assert await asyncio.wait_for(done, 1) == "timeout"


async def test_caller_hears_of_a_server_that_dies_in_its_terminate() -> None:
    """Contract: callers waiting for a reply get ``ExitError`` at once, never a timeout."""

    class Helper(GenServer):
        pass

    class Owner(GenServer):
        async def init(self) -> None:
            self.helper = await Helper.start_link()

        @call(timeout=50)
        def quit(self) -> Stop:
            return Stop("normal", reply="bye")

        def terminate(self, reason: object) -> None:
            process.exit(self.helper, "shutdown")

    pid = await Owner.start()

    (outcome,) = await asyncio.gather(Owner.quit(pid), return_exceptions=True)

    assert not isinstance(outcome, CallTimeoutError)
    assert not process.is_alive(pid)


def test_casts_do_not_run_in_the_context_of_the_first_request_of_all() -> None:
    class Noting(GenServer):
        @cast
        def note(self) -> None:
            self.seen = request_id.get()

        @call
        def noted(self) -> str | None:
            return self.seen

    async def first() -> Pid:
        request_id.set("first")
        return await Noting.start()

    async def second(pid: Pid) -> str | None:
        request_id.set("second")
        Noting.note(pid)
        return await Noting.noted(pid)

    async def main() -> str | None:
        return await asyncio.create_task(second(await asyncio.create_task(first())))

    assert asyncio.run(main()) != "first"


async def test_copy_of_a_pid_is_the_pid() -> None:
    pid = await Desk.start()

    assert copy.copy(pid) is pid
    assert copy.deepcopy(pid) is pid


async def test_answers_with_pids_can_be_made_dicts() -> None:
    pid = await Desk.start()

    assert dataclasses.asdict(ChildInfo("x", pid, "worker", "running"))["pid"] is pid
    assert dataclasses.asdict(process.info(pid))["status"] == process.info(pid).status


async def test_child_spec_is_hashable() -> None:
    assert len({Desk.child_spec(), Desk.child_spec()}) == 1


async def test_reason_that_equals_normal_is_normal(settle: Settle) -> None:
    class Why(enum.StrEnum):
        DONE = "normal"

    class Job(GenServer, restart="transient"):
        def __init__(self) -> None:
            starts.append(self.pid)

        @cast
        def finish(self) -> Stop:
            return Stop(Why.DONE)

    starts: list[Pid] = []
    async with process.attach():
        sup = await DynamicSupervisor.start_link()
        pid = await DynamicSupervisor.start_child(sup, Job.child_spec())

        Job.finish(pid)
        await settle()

        assert starts == [pid]


def test_call_with_the_name_of_a_callback_is_refused() -> None:
    with pytest.raises(TypeError, match="terminate"):

        class Orders(GenServer):
            @call
            def terminate(self, order: str) -> str:
                return order


async def test_client_function_reaches_the_override_on_both_classes() -> None:
    class Plain(GenServer):
        @call
        def number(self) -> int:
            return 1

    class Doubled(Plain):
        def number(self) -> int:
            return 2

    pid = await Doubled.start()

    assert await Plain.number(pid) == 2
    assert await Doubled.number(pid) == 2


def test_child_spec_takes_the_arguments_of_the_class_s_own_start_link() -> None:
    class Client(GenServer):
        def __init__(self, host: str, port: int) -> None:
            self.at = (host, port)

        @classmethod
        async def start_link(cls, url: str) -> Pid:
            host, port = url.split(":")
            return await super().start_link(host, int(port))

    assert Client.child_spec("localhost:80").args == ("localhost:80",)


async def test_cancelled_error_of_a_callback_keeps_its_traceback() -> None:
    """Contract: a crash is carried whole."""

    class Waiting(GenServer):
        @call
        async def wait(self) -> None:
            future = asyncio.get_running_loop().create_future()
            future.cancel()
            await future

    pid = await Waiting.start()

    with pytest.raises(ExitError) as caught:
        await Waiting.wait(pid)

    assert caught.value.reason.__traceback__ is not None
