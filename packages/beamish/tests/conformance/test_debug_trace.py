"""``debug.trace``, ``log`` and ``statistics``: what a running server does.

Source: OTP ``sys``: ``trace/2``, ``install/2``, ``log/2``, ``statistics/2``.
"""

import asyncio

import pytest

from beamish import (
    Continue,
    ExitError,
    From,
    GenServer,
    NoReply,
    Pid,
    Reply,
    Stop,
    call,
    cast,
    debug,
    process,
)


class Server(GenServer):
    def __init__(self) -> None:
        self.count = 0
        self.items: list[int] = []
        self.waiting: list[From] = []

    @call
    def add(self, number: int, *, twice: bool = False) -> int:
        self.count += number * (2 if twice else 1)
        return self.count

    @call
    async def add_slowly(self, number: int) -> int:
        await asyncio.sleep(0)
        self.count += number
        return self.count

    @call
    def later(self, *, from_: From) -> NoReply:
        self.waiting.append(from_)
        return NoReply()

    @call
    def explicit(self) -> Reply[str]:
        return Reply("explicit", then=Continue("on"))

    @call
    def last(self) -> Stop:
        return Stop("normal", reply="bye")

    @call
    def crash(self) -> None:
        self.count = -1
        raise ValueError("crash")

    @cast
    def append(self, number: int) -> None:
        self.items.append(number)

    @cast
    def forget(self) -> None:
        del self.count

    def handle_call(self, request: object, from_: From) -> object:
        return request

    def handle_info(self, message: object) -> None:
        pass

    def handle_continue(self, arg: object) -> None:
        pass


class Secretive(GenServer):
    def __init__(self) -> None:
        self.password = "old"

    @cast
    def change(self) -> None:
        self.password = "hunter2"

    def format_status(self, status: dict[str, object]) -> object:
        return {**status, "state": {"password": "***"}}


Events = list[debug.DebugEvent]


async def traced() -> tuple[Pid, Events]:
    events: Events = []
    pid = await Server.start()
    await debug.trace(pid, events.append)
    return pid, events


def told(events: Events) -> list[tuple[str, object]]:
    return [(event.what, event.value) for event in events]


async def test_trace_tells_call_change_and_reply() -> None:
    async with process.attach() as me:
        pid, events = await traced()

        assert await Server.add(pid, 2, twice=True) == 4

    received, changed, handled, replied = events
    assert told(events) == [
        ("received", (2,)),
        ("changed", {"count": "4"}),
        ("handled", 4),
        ("replied", 4),
    ]
    assert (received.kind, received.callback, received.peer) == ("call", "add", me)
    assert received.kwargs == {"twice": True}
    assert replied.peer is me
    assert {event.pid for event in events} == {pid}
    assert received.at <= changed.at <= handled.at <= replied.at


async def test_trace_tells_casts_and_messages() -> None:
    pid, events = await traced()

    Server.append(pid, 1)
    process.send(pid, "hello")
    await debug.get_state(pid)

    received = [(e.kind, e.callback, e.value) for e in events if e.what == "received"]
    assert received == [("cast", "append", (1,)), ("message", "handle_info", ("hello",))]


async def test_trace_tells_what_changed_in_place() -> None:
    pid, events = await traced()

    Server.append(pid, 7)
    Server.forget(pid)
    await debug.get_state(pid)

    changes = [event.value for event in events if event.what == "changed"]
    assert changes == [{"items": "[7]"}, {"count": "<deleted>"}]


async def test_trace_of_an_async_callback_tells_its_end() -> None:
    pid, events = await traced()

    assert await Server.add_slowly(pid, 1) == 1

    assert [event.what for event in events] == ["received", "changed", "handled", "replied"]


async def test_trace_tells_a_reply_that_comes_later() -> None:
    pid, events = await traced()
    calling = asyncio.create_task(Server.later(pid))
    while len(events) < 3:
        await asyncio.sleep(0)
    assert "replied" not in [event.what for event in events]

    GenServer.reply((await debug.get_state(pid))["waiting"][0], "now")

    assert await calling == "now"
    assert told(events)[-1] == ("replied", "now")


async def test_trace_tells_explicit_replies_and_what_follows() -> None:
    pid, events = await traced()

    assert await Server.explicit(pid) == "explicit"
    await debug.get_state(pid)

    assert ("replied", "explicit") in told(events)
    assert [e.kind for e in events if e.callback == "handle_continue"] == ["callback"] * 2


async def test_trace_tells_the_reply_of_a_server_that_stops() -> None:
    pid, events = await traced()

    assert await Server.last(pid) == "bye"

    assert [event.what for event in events] == ["received", "handled", "replied"]


@pytest.mark.usefixtures("_quiet")
async def test_trace_tells_what_a_callback_raised_and_had_changed() -> None:
    pid, events = await traced()

    with pytest.raises(ExitError):
        await Server.crash(pid)

    assert [event.what for event in events] == ["received", "changed", "raised"]
    assert isinstance(events[-1].value, ValueError)


@pytest.fixture
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL", logger="beamish")


async def test_trace_shows_the_state_as_format_status_lets_it_be_seen() -> None:
    events: Events = []
    pid = await Secretive.start()
    await debug.trace(pid, events.append)

    Secretive.change(pid)
    await debug.get_state(pid)

    assert "hunter2" not in repr(events)


async def test_trace_prints(capsys) -> None:
    async with process.attach() as me:
        pid = await Server.start()
        await debug.trace(pid, True)
        await Server.add(pid, 2, twice=True)

    assert capsys.readouterr().out.splitlines() == [
        f"*DBG* {pid!r} received call add(2, twice=True) from {me!r}",
        f"*DBG* {pid!r} changed count = 4",
        f"*DBG* {pid!r} handled add, which returned 4",
        f"*DBG* {pid!r} replied 4 to {me!r}",
    ]


async def test_trace_shows_what_cannot_be_shown(capsys) -> None:
    class Hostile:
        def __repr__(self) -> str:
            raise ValueError("in __repr__")

    pid = await Server.start()
    await debug.trace(pid, True)

    process.send(pid, Hostile())
    await debug.get_state(pid)

    assert "Hostile that cannot be shown" in capsys.readouterr().out


async def test_trace_ends_when_switched_off() -> None:
    pid, events = await traced()

    await debug.trace(pid, False)
    await Server.add(pid, 1)

    assert events == []


async def test_trace_function_that_raises_is_removed_and_harms_nobody(caplog) -> None:
    def fail(event: object) -> None:
        raise ValueError("in the trace")

    pid = await Server.start()
    await debug.trace(pid, fail)

    assert await Server.add(pid, 1) == 1
    assert await Server.add(pid, 1) == 2
    assert len(caplog.records) == 1


async def test_call_of_a_request_shows_it_without_its_from() -> None:
    pid, events = await traced()

    await GenServer.call(pid, "hello")

    assert events[0].value == ("hello",)


async def test_invalid_trace_raises() -> None:
    pid = await Server.start()

    with pytest.raises(TypeError, match="True, False or a function"):
        await debug.trace(pid, "on")


async def test_log_keeps_as_many_events_as_it_was_told() -> None:
    pid = await Server.start()
    assert await debug.log(pid, 4) == []

    for number in range(3):
        Server.append(pid, number)
    events = await debug.log(pid)

    assert [event.what for event in events] == ["handled", "received", "changed", "handled"]
    assert events[1].value == (2,)


async def test_log_that_is_switched_off_keeps_nothing() -> None:
    pid = await Server.start()
    await debug.log(pid, True)
    Server.append(pid, 1)

    assert len(await debug.log(pid, False)) == 3
    Server.append(pid, 2)
    assert await debug.log(pid) == []


@pytest.mark.parametrize("on", [0, -1, 1.5, "on"])
async def test_length_of_a_log_that_is_none_is_refused(on: object) -> None:
    with pytest.raises(ValueError, match="on must be a whole number"):
        await debug.log(await Server.start(), on)


async def test_statistics_count_messages_and_replies() -> None:
    pid = await Server.start()
    assert await debug.statistics(pid) is None
    await debug.statistics(pid, True)

    calling = asyncio.create_task(Server.later(pid))
    Server.append(pid, 1)
    process.send(pid, "hello")
    await Server.add(pid, 1)
    while not (await debug.get_state(pid))["waiting"]:
        await asyncio.sleep(0)
    found = await debug.statistics(pid)

    assert found is not None
    assert (found.messages_in, found.replies_out) == (4, 1)
    assert found.seconds >= 0
    calling.cancel()


async def test_statistics_count_no_callbacks_of_the_runtime() -> None:
    """Continues and the requests of ``debug`` do not count as messages."""
    pid = await Server.start()
    await debug.statistics(pid, True)

    await Server.explicit(pid)
    found = await debug.statistics(pid)

    assert found is not None
    assert (found.messages_in, found.replies_out) == (1, 1)


async def test_statistics_start_from_zero_when_switched_on_again() -> None:
    pid = await Server.start()
    await debug.statistics(pid, True)
    await Server.add(pid, 1)

    before = await debug.statistics(pid, True)
    after = await debug.statistics(pid, False)

    assert before is not None
    assert after is not None
    assert (before.messages_in, after.messages_in) == (1, 0)
    assert await debug.statistics(pid) is None


async def test_server_takes_direct_calls_again_when_nothing_is_on() -> None:
    pid, _ = await traced()
    await debug.log(pid, True)

    await debug.trace(pid, False)
    await debug.log(pid, False)

    assert pid._process.debugging is None
    assert await Server.add(pid, 1) == 1
