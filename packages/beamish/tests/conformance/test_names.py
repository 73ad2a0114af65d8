"""The names users import, what the exceptions are and what they carry."""

import asyncio
import dataclasses
import inspect

import pytest

import beamish
from beamish import (
    IGNORE,
    AlreadyRegisteredError,
    AlreadyStartedError,
    BeamishError,
    CallingSelfError,
    CallTimeoutError,
    Continue,
    Down,
    Exit,
    ExitError,
    GenServer,
    IgnoredError,
    NoProcessError,
    NoReply,
    Pid,
    Reply,
    StartError,
    Stop,
    call,
    process,
)

NAMES = [
    "Agent",
    "Application",
    "DynamicSupervisor",
    "GenServer",
    "PartitionSupervisor",
    "Registry",
    "Supervisor",
    "Task",
    "TaskSupervisor",
    "call",
    "cast",
    "ChildSpec",
    "Pid",
    "Ref",
    "From",
    "Via",
    "Backoff",
    "Reply",
    "Fail",
    "NoReply",
    "Stop",
    "Continue",
    "Timeout",
    "Hibernate",
    "IGNORE",
    "Down",
    "Exit",
    "Registered",
    "Unregistered",
    "ChildInfo",
    "Counts",
    "Ok",
    "Exited",
    "BeamishError",
    "ExitError",
    "NoProcessError",
    "CallTimeoutError",
    "CallingSelfError",
    "StartError",
    "AlreadyStartedError",
    "AlreadyPresentError",
    "MaxChildrenError",
    "IgnoredError",
    "AlreadyRegisteredError",
    "NotFoundError",
    "process",
    "debug",
    "telemetry",
    "from_thread",
    "run",
]

BASES = [
    ("BeamishError", Exception),
    ("ExitError", BeamishError),
    ("NoProcessError", ExitError),
    ("NoProcessError", LookupError),
    ("CallTimeoutError", ExitError),
    ("CallTimeoutError", TimeoutError),
    ("CallingSelfError", ExitError),
    ("StartError", BeamishError),
    ("AlreadyStartedError", StartError),
    ("IgnoredError", StartError),
    ("MaxChildrenError", StartError),
    ("AlreadyPresentError", StartError),
    ("NotFoundError", BeamishError),
    ("NotFoundError", LookupError),
    ("AlreadyRegisteredError", BeamishError),
]


class Patient(GenServer):
    """Never replies to a call that says so."""

    def __init__(self, problem: object = None) -> None:
        if isinstance(problem, Exception):
            raise problem
        self.problem = problem

    def init(self) -> object:
        return self.problem

    def handle_call(self, request: object, from_: object) -> object:
        return NoReply() if request == "wait" else request

    @call
    async def call_yourself(self) -> BaseException | None:
        try:
            await GenServer.call(self.pid, "again")
        except BaseException as error:
            return error
        return None


@pytest.mark.parametrize("name", NAMES)
def test_name_is_exported(name: str) -> None:
    assert hasattr(beamish, name)
    assert name in beamish.__all__


def test_all_names_each_thing_once() -> None:
    assert len(beamish.__all__) == len(set(beamish.__all__))
    assert all(hasattr(beamish, name) for name in beamish.__all__)


@pytest.mark.parametrize("name", [name for name in NAMES if name[0].isupper() and name != "IGNORE"])
def test_public_class_says_what_it_is_for(name: str) -> None:
    assert (inspect.getdoc(getattr(beamish, name)) or "").strip()


@pytest.mark.parametrize(("name", "base"), BASES)
def test_exception_can_be_caught_as_its_base(name: str, base: type[Exception]) -> None:
    assert issubclass(getattr(beamish, name), base)


def test_start_errors_are_not_exit_errors() -> None:
    assert not issubclass(StartError, ExitError)


async def test_exit_error_carries_reason_and_destination(settle) -> None:
    pid = await Patient.start()
    waiting = asyncio.create_task(GenServer.call(pid, "wait"))
    await settle()

    process.exit(pid, "boom")

    with pytest.raises(ExitError) as caught:
        await waiting
    assert caught.value.reason == "boom"
    assert caught.value.dest == pid


async def test_calling_an_unknown_name_is_noproc() -> None:
    with pytest.raises(NoProcessError) as caught:
        await GenServer.call("nobody", "ping")

    assert caught.value.reason == "noproc"
    assert caught.value.dest == "nobody"


async def test_calling_a_dead_pid_is_noproc() -> None:
    """Elixir ``GenServer.call/3``: exits with ``noproc``."""
    pid = await Patient.start()
    await GenServer.stop(pid)

    with pytest.raises(NoProcessError) as caught:
        await GenServer.call(pid, "ping")

    assert caught.value.reason == "noproc"
    assert caught.value.dest == pid


async def test_call_timeout_tells_how_many_messages_wait() -> None:
    gate = asyncio.Event()

    class Busy(GenServer):
        async def handle_cast(self, request: object) -> None:
            await gate.wait()

    pid = await Busy.start()
    GenServer.cast(pid, "hold")
    await asyncio.sleep(0)
    for _ in range(411):
        GenServer.cast(pid, "more")

    with pytest.raises(CallTimeoutError) as caught:
        await GenServer.call(pid, "ping", timeout=0.01)

    assert caught.value.reason == "timeout"
    assert caught.value.dest == pid
    assert any(waiting in str(caught.value) for waiting in ("411", "412"))
    process.exit(pid, "kill")


async def test_calling_itself_carries_its_reason() -> None:
    pid = await Patient.start()

    error = await Patient.call_yourself(pid)

    assert isinstance(error, CallingSelfError)
    assert error.reason == "calling_self"


async def test_start_error_carries_the_reason() -> None:
    with pytest.raises(StartError) as caught:
        await Patient.start(Stop("no licence"))

    assert caught.value.reason == "no licence"


async def test_start_error_has_the_original_exception_as_cause() -> None:
    problem = ValueError("bad start")

    with pytest.raises(StartError) as caught:
        await Patient.start(problem)

    assert caught.value.__cause__ is problem
    assert caught.value.reason is problem


async def test_already_started_error_carries_the_running_pid() -> None:
    pid = await Patient.start(name="patient")

    with pytest.raises(AlreadyStartedError) as caught:
        await Patient.start(name="patient")

    assert caught.value.pid == pid


async def test_ignored_error_is_raised_for_ignore() -> None:
    with pytest.raises(IgnoredError):
        await Patient.start(IGNORE)


async def test_already_registered_error_carries_the_holder() -> None:
    holder = await Patient.start()
    process.register(holder, "desk")
    other = await Patient.start()

    with pytest.raises(AlreadyRegisteredError) as caught:
        process.register(other, "desk")

    assert caught.value.pid == holder


async def test_messages_match_by_position() -> None:
    async with process.attach() as me:
        ref = process.monitor("nobody")
        message = await process.receive(timeout=50)

        match message:
            case Down(found_ref, found_pid, reason):
                assert (found_ref, found_pid, reason) == (ref, "nobody", "noproc")
            case _:
                pytest.fail(f"not a Down: {message!r}")
        match Exit(me, "boom"):
            case Exit(pid, reason):
                assert (pid, reason) == (me, "boom")


@pytest.mark.parametrize(
    "value", [Reply(1), NoReply(), Stop("normal"), Continue("x"), Exit("p", "r"), Down(1, 2, 3)]
)
def test_answers_and_messages_are_frozen_values(value: object) -> None:
    name = dataclasses.fields(value)[0].name

    with pytest.raises(AttributeError):
        setattr(value, name, "changed")
    assert value == dataclasses.replace(value)


def test_pid_is_the_class_of_every_process_identifier() -> None:
    async def main() -> object:
        return await Patient.start()

    assert isinstance(asyncio.run(main()), Pid)
