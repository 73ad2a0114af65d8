"""The client functions do what the plain functions do that they are written out from.

`clients` writes the start of a client function, of a ``@call`` or of ``handle_call``, as text, for
speed. Its reference is `requests.call`, which uses `ServerProcess.request`, `dispatch` and
`finish`. Here every method is called in both ways in every state of the server, and all that can be
observed must be the same: the result, the number of suspensions, the state of the server, its
events and what its code saw.
"""

import asyncio
import itertools
import re
from collections.abc import Awaitable, Callable, Generator
from contextvars import ContextVar
from typing import Any

import pytest

from beamish import (
    Continue,
    Fail,
    From,
    GenServer,
    Hibernate,
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
from beamish._runtime.runtime import running
from beamish._server import requests
from beamish.testing import settle

WHO: ContextVar[str] = ContextVar("WHO", default="nobody")

Call = Callable[..., Awaitable[Any]]


class Probe(GenServer):
    """A server whose methods end in every way that a method can end."""

    def __init__(self, seen: list[Any]) -> None:
        self.seen = seen

    async def init(self) -> None:
        if WHO.get() == "slow starter":
            await asyncio.sleep(0)

    def note(self, *facts: Any) -> None:
        info = process.info(self.pid)
        assert info is not None
        self.seen.append((*facts, WHO.get(), process.current(), info.current_callback, info.status))

    @call
    def value(self, number: int = 7, *more: int, key: str = "k", **rest: int) -> Any:
        self.note("value", number, more, key, rest)
        WHO.set("the server")
        return number, more, key, rest

    @call
    def nothing(self) -> None:
        self.note("nothing")

    @call
    def crash(self) -> None:
        raise ValueError("boom")

    @call
    def refuse(self) -> Any:
        return Fail(LookupError("no"))

    @call
    def refuse_and_go_on(self) -> Any:
        return Fail(LookupError("no"), then=Continue("after"))

    @call
    def answer(self) -> Any:
        return Reply("answer")

    @call
    def reply_and_go_on(self) -> Any:
        return Reply("answer", then=Continue("after"))

    @call
    def reply_and_wait(self) -> Any:
        return Reply("answer", then=Timeout(60.0))

    @call
    def reply_and_hibernate(self) -> Any:
        return Reply("answer", then=Hibernate())

    @call
    def stop_without_reply(self) -> Any:
        return Stop("enough")

    @call
    def stop_with_reply(self) -> Any:
        return Stop("normal", reply="bye")

    @call
    def stop_with_error(self) -> Any:
        return Stop("normal", reply=Fail(LookupError("no")))

    @call
    def bad_result(self) -> Any:
        return Continue("not a reply")

    @call
    def reply_later(self, *, from_: From) -> Any:
        asyncio.get_running_loop().call_soon(GenServer.reply, from_, "later")
        return requests.NoReply()

    @call
    def reply_at_once(self, *, from_: From) -> Any:
        GenServer.reply(from_, "first")
        return "second"

    @call
    def reply_by_result(self, *, from_: From) -> Any:
        asyncio.get_running_loop().call_soon(GenServer.reply, from_, "too late")
        return repr(from_)

    def handle_call(self, request: Any, from_: From) -> Any:
        match request:
            case "reply later" | "reply at once" | "reply by result":
                method = getattr(self, request.replace(" ", "_"))
                return method(from_=from_)
            case str():
                return getattr(self, request)()
        WHO.set("the server")
        return request

    @call
    async def wait(self) -> str:
        self.note("waits")
        await asyncio.sleep(0)
        self.note("goes on")
        return "waited"

    @call
    async def wait_and_refuse(self) -> Any:
        await asyncio.sleep(0)
        return Fail(LookupError("no"))

    @call
    async def wait_and_crash(self) -> None:
        await asyncio.sleep(0)
        raise ValueError("boom")

    @call
    def cast_itself(self) -> str:
        Probe.casted(self.pid)
        return "cast"

    @call
    def exit_itself(self) -> str:
        process.exit(self.pid, "over")
        return "never seen"

    @call
    def refuse_and_exit(self) -> Any:
        process.exit(self.pid, "over")
        return Fail(LookupError("no"))

    @call
    def exit_normally(self) -> str:
        process.exit(self.pid, "normal")
        return "never seen"

    @call
    def kill_caller(self, pid: Pid) -> str:
        process.exit(pid, "kill")
        return "never seen"

    @cast
    def casted(self) -> None:
        self.note("casted")

    @call
    async def hold(self, gate: asyncio.Event) -> None:
        await gate.wait()

    def handle_info(self, message: object) -> None:
        self.note("info", message)

    def handle_continue(self, arg: object) -> None:
        self.note("continue", arg)

    def terminate(self, reason: Any) -> None:
        self.seen.append(("terminate", repr(reason)))


METHODS: dict[str, tuple[str, tuple[Any, ...], dict[str, Any]]] = {
    "value of all arguments": ("value", (1, 2, 3), {"key": "x", "other": 4}),
    **{
        name: (name, (), {})
        for name in vars(Probe)
        if name in Probe._beamish.calls and name not in ("hold", "kill_caller", "handle_call")
    },
}
REQUESTS: list[Any] = [
    None,
    ("a", "tuple"),
    *(name for name in METHODS if " " not in name and not name.startswith("reply_")),
    "reply later",
    "reply at once",
    "reply by result",
    "reply_and_go_on",
    "reply_and_wait",
]
METHODS |= {f"handle_call of {request!r}": ("handle_call", (request,), {}) for request in REQUESTS}


# -- The two ways to call


def by_client(dest: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if name == "handle_call":
        return GenServer.call(dest, *args, **kwargs)
    return getattr(Probe, name)(dest, *args, **kwargs)


def by_reference(dest: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if name == "value":  # the client function fills in the default values
        args, kwargs = args or (7,), {"key": "k", **kwargs}
    return requests.call(dest, name, args, kwargs or None, 5.0)


class Counted:
    """Awaits a coroutine and counts how often it suspends."""

    def __init__(self, coroutine: Any) -> None:
        self.coroutine = coroutine
        self.suspensions = 0

    def __await__(self) -> Generator[Any, Any, Any]:
        resume, value = self.coroutine.send, None
        while True:
            try:
                future = resume(value)
            except StopIteration as stop:
                return stop.value
            self.suspensions += 1
            try:
                value, resume = (yield future), self.coroutine.send
            except BaseException as error:
                value, resume = error, self.coroutine.throw


# -- The states of the server


async def idle(dest: Pid) -> None:
    """As a server is that has nothing to do."""


async def queued(dest: Pid) -> None:
    Probe.casted(dest)
    process.send(dest, "message")


async def busy(dest: Pid) -> None:
    gate = asyncio.Event()
    _after(5, gate.set)
    asyncio.get_running_loop().create_task(Probe.hold(dest, gate)).add_done_callback(_ignore)
    await asyncio.sleep(0)


async def killed_while_busy(dest: Pid) -> None:
    await busy(dest)
    process.exit(dest, "kill")


async def told_to_exit_while_busy(dest: Pid) -> None:
    await busy(dest)
    _after(2, process.exit, dest, "boom")


async def suspended(dest: Pid) -> None:
    await debug.suspend(dest)
    _after(5, lambda: _start(debug.resume(dest)))


async def waiting_for_timeout(dest: Pid) -> None:
    await Probe.reply_and_wait(dest)


async def hibernated(dest: Pid) -> None:
    await Probe.reply_and_hibernate(dest)


async def debugged(dest: Pid) -> None:
    await debug.log(dest, 1000)
    await debug.statistics(dest, True)


async def over_budget(dest: Pid) -> None:
    running().budget, running()._slice_end = 0, 0.0


async def last_of_budget(dest: Pid) -> None:
    running().budget = 1


async def refilled(dest: Pid) -> None:
    running().budget, running()._slice_end = 0, running().loop.time() + 60


async def never_direct(dest: Pid) -> None:
    """As with BEAMISH_DIRECT=0, which is read before the server starts."""


async def dead(dest: Pid) -> None:
    await GenServer.stop(dest)


async def traced(dest: Pid) -> None:
    telemetry.attach_many(
        "seen", [event for event in telemetry.EVENTS if "call" in event[1]], _note_event
    )


STATES = [
    idle,
    queued,
    busy,
    killed_while_busy,
    told_to_exit_while_busy,
    suspended,
    waiting_for_timeout,
    hibernated,
    debugged,
    over_budget,
    last_of_budget,
    refilled,
    never_direct,
    dead,
    traced,
]

_events: list[Any] = []


def _note_event(event: Any, measurements: Any, facts: Any) -> None:
    shown = {name: value for name, value in facts.items() if name != "span"}
    _events.append((event, sorted(measurements), shown))


def _ignore(task: asyncio.Task[Any]) -> None:
    task.cancelled() or task.exception()


def _after(turns: int, function: Callable[..., object], *args: Any) -> None:
    """Call a function after some turns of the event loop, which take any time."""
    if turns == 0:
        function(*args)
    else:
        asyncio.get_running_loop().call_soon(_after, turns - 1, function, *args)


def _start(coroutine: Any) -> None:
    asyncio.get_running_loop().create_task(coroutine).add_done_callback(_ignore)


# -- What is observed


_PID = re.compile(r"#PID<0\.\d+\.0>|0x[0-9a-f]+")


def facts_of(server: Any, seen: list[Any]) -> dict[str, Any]:
    runtime = server.runtime
    return {
        "phase": server.phase,
        "callback": server.callback,
        "direct": server.direct,
        "handled": server.handled,
        "mailbox": None if server.mailbox is None else len(server.mailbox),
        "callers": server.callers,
        "exit pending": server.exit_pending,
        "idle timer": server.idle_timer is not None,
        "suspended": server.suspended,
        "in a task": server.task is not None,
        "links": server.links,
        "alive": server.pid._process is server,
        "in the run queue": server in runtime._run_queue,
        "budget": runtime.budget,
        "seen": list(seen),
    }


async def observed(way: Call, request: tuple[Any, ...], prepare: Call, named: bool) -> str:
    """Make one call, and return everything that could be observed of it."""
    seen: list[Any] = []
    _events.clear()
    running().direct_dispatch = prepare is not never_direct
    pid = await Probe.start(seen, name="probe" if named else None)
    server = pid._process
    WHO.set("the caller")
    running()._begin_slice()
    running()._slice_end += 60  # so that the speed of the machine does not matter
    await prepare(pid)
    counted = Counted(way("probe" if named else pid, *request))
    try:
        outcome: Any = await counted
    except BaseException as error:
        cause = error.__cause__
        outcome = (type(error), str(error), getattr(error, "reason", None), type(cause))
    facts = {
        "outcome": outcome,
        "suspensions": counted.suspensions,
        "context": WHO.get(),
        "at once": facts_of(server, seen),
    }
    await settle()
    facts["at last"] = {**facts_of(server, seen), "budget": None}
    if process.is_alive(pid):
        events = await debug.log(pid)
        facts["debug"] = (
            [str(event) for event in events],
            server.debugging
            and (
                server.debugging.messages_in,
                server.debugging.replies_out,
            ),
        )
        await GenServer.stop(pid)
    facts["telemetry"] = list(_events)
    telemetry.detach("seen")
    return _PID.sub("#", "\n".join(f"{name}: {fact!r}" for name, fact in facts.items()))


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Any:
    caplog.set_level("CRITICAL", logger="beamish")
    yield
    telemetry.detach("seen")


@pytest.mark.parametrize("method", METHODS)
async def test_client_function_does_what_the_reference_does(method: str) -> None:
    for state, named in itertools.product(STATES, (False, True)):
        client = await observed(by_client, METHODS[method], state, named)
        reference = await observed(by_reference, METHODS[method], state, named)

        assert client == reference, (state.__name__, named)


@pytest.mark.parametrize("way", [by_client, by_reference])
@pytest.mark.parametrize("way_of_other", [by_client, by_reference])
async def test_call_that_kills_its_caller_is_the_same_in_both_ways(
    way: Call, way_of_other: Call
) -> None:
    """A server calls another, which calls back, and the innermost callback kills the first."""
    results = []
    for call_, call_of_other in ((way, way_of_other), (by_reference, by_reference)):
        steps: list[str] = []
        target = await Probe.start([])

        async def caller(call_: Call = call_, target: Pid = target, steps: Any = steps) -> None:
            steps.append("calls")
            await call_(target, "kill_caller", (process.current(),), {})
            steps.append("goes on")

        async with process.attach():
            pid, ref = process.spawn_monitor(caller)
            down = await process.receive(10)
        assert (down.ref, down.pid) == (ref, pid)
        alive = await call_of_other(target, "value", (), {})
        server = target._process
        results.append((steps, down.reason, alive, server.handled, server.direct, server.mailbox))
        await GenServer.stop(target)

    assert results[0] == results[1]
    assert results[0][:2] == (["calls"], "killed")


@pytest.mark.parametrize("way", [by_client, by_reference])
@pytest.mark.parametrize("request_", ["handle_call", "keep_from"])
async def test_call_that_has_its_reply_is_closed_in_both_ways(way: Call, request_: str) -> None:
    kept: list[From] = []

    class Keeping(Probe):
        def handle_call(self, request: Any, from_: From) -> Any:
            kept.append(from_)
            return "kept"

        @call
        def keep_from(self, *, from_: From) -> str:
            kept.append(from_)
            return "kept"

    pid = await Keeping.start([])
    args = ("any",) if request_ == "handle_call" else ()
    client = getattr(Keeping, "call" if request_ == "handle_call" else request_)
    asking = client(pid, *args) if way is by_client else way(pid, request_, args, {})

    assert await asking == "kept"
    assert not kept[0].is_open
    await GenServer.stop(pid)


async def test_standard_call_makes_the_same_from_as_its_constructor() -> None:
    made: list[dict[str, Any]] = []

    def facts(from_: From) -> dict[str, Any]:
        return {name: getattr(from_, name, "not set") for name in From.__slots__}

    class Looking(GenServer):
        def handle_call(self, request: Any, from_: From) -> None:
            made.append(facts(from_))

    running().direct_dispatch = True  # a queued call uses the constructor
    pid = await Looking.start()

    async with process.attach() as caller:
        await GenServer.call(pid, "any")
        expected = facts(From(pid._process, pid))

    assert made == [expected]
    assert expected["pid"] is caller
    await GenServer.stop(pid)


@pytest.mark.parametrize("is_traced", [False, True])
@pytest.mark.parametrize("messages", [0, 1])
@pytest.mark.parametrize("request_", [None, "text", ("a", "tuple"), (), ("one",), 0])
async def test_cast_queues_what_cast_bare_queues(
    request_: Any, messages: int, is_traced: bool
) -> None:
    if is_traced:
        await traced(Pid(None, None))
    facts = []
    for queue in (GenServer.cast, lambda dest, request: dest._process.cast_bare(request)):
        pid = await Probe.start([])
        server = pid._process
        for _ in range(messages):
            process.send(pid, "before")
        queue(pid, request_)
        last = server.mailbox[-1]
        context = last[4] if type(last) is tuple and len(last) == 5 else None
        shown = (*last[:4], context is not None) if context is not None else last
        facts.append((len(server.mailbox), shown, type(last), server.direct))
        server.mailbox.clear()
        await GenServer.stop(pid)

    assert facts[0] == facts[1]


@pytest.mark.parametrize("way", [by_client, by_reference])
async def test_server_cannot_call_itself_in_both_ways(way: Call) -> None:
    class Selfish(Probe):
        @call
        async def ask(self, way: Call) -> str:
            try:
                await way(self.pid, "value", (), {})
            except Exception as error:
                return type(error).__name__
            return "answered"

    pid = await Selfish.start([])

    assert await Selfish.ask(pid, way) == "CallingSelfError"
    await GenServer.stop(pid)


@pytest.mark.parametrize("way", [by_client, by_reference])
async def test_call_while_the_server_starts_waits_for_init(way: Call) -> None:
    WHO.set("slow starter")
    seen: list[Any] = []
    starting = asyncio.create_task(Probe.start(seen, name="probe"))
    await asyncio.sleep(0)

    assert await way("probe", "value", (1,), {}) == (1, (), "k", {})
    await GenServer.stop(await starting)


@pytest.mark.parametrize("way", [by_client, by_reference])
async def test_cancelled_call_leaves_the_server_as_it_was(way: Call) -> None:
    pid = await Probe.start([])
    gate = asyncio.Event()
    calling = asyncio.ensure_future(way(pid, "hold", (gate,), {}))
    await asyncio.sleep(0)

    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    gate.set()

    assert await way(pid, "value", (1,), {}) == (1, (), "k", {})
    server = pid._process
    assert (server.callers, server.mailbox, server.handled) == (None, None, 2)
    await GenServer.stop(pid)
