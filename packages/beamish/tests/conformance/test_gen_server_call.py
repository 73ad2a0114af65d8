"""``GenServer.call``, ``handle_call`` and the values it may return.

Sources: Elixir ``GenServer.call/3``, ``handle_call/3``, ``reply/2``.
"""

import asyncio
from dataclasses import dataclass

import pytest

from beamish import (
    CallTimeoutError,
    Continue,
    Down,
    ExitError,
    From,
    GenServer,
    Hibernate,
    NoProcessError,
    NoReply,
    Reply,
    Stop,
    Timeout,
    process,
)

from .virtual_time import on_virtual_clock


@dataclass(frozen=True)
class Return:
    """A request that is answered with what ``handle_call`` is to return."""

    value: object


class Server(GenServer):
    def __init__(self) -> None:
        self.seen: list[object] = []
        self.owed: list[From] = []

    def handle_call(self, request: object, from_: From) -> object:
        match request:
            case Return(value):
                return value
            case "owe":
                self.owed.append(from_)
                return NoReply()
            case "seen":
                return self.seen
            case "first then second":
                GenServer.reply(from_, "first")
                return "second"
        return request

    def handle_cast(self, request: object) -> None:
        for from_ in self.owed:
            GenServer.reply(from_, request)

    def handle_continue(self, arg: object) -> None:
        self.seen.append(("continue", arg))

    def handle_info(self, message: object) -> None:
        self.seen.append(message)


class AsyncServer(Server):
    """The same with an async callback."""

    async def handle_call(self, request: object, from_: From) -> object:
        await asyncio.sleep(0)
        return Server.handle_call(self, request, from_)


SERVERS = pytest.mark.parametrize("server", [Server, AsyncServer])
VALUES = [None, False, 0, "", (), [], "text", {"a": 1}, ("tuple", 1), ValueError, object()]


@SERVERS
@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
async def test_any_value_is_a_reply(server: type[Server], value: object) -> None:
    pid = await server.start()

    assert await GenServer.call(pid, Return(value)) is value


@SERVERS
@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
async def test_any_value_in_reply_is_a_reply(server: type[Server], value: object) -> None:
    pid = await server.start()

    assert await GenServer.call(pid, Return(Reply(value))) is value


@SERVERS
async def test_call_by_name(server: type[Server]) -> None:
    await server.start(name="server")

    assert await GenServer.call("server", "hello") == "hello"


@SERVERS
async def test_reply_then_continue_runs_before_the_next_message(server: type[Server]) -> None:
    pid = await server.start()

    answer = await GenServer.call(pid, Return(Reply("answer", then=Continue("more"))))

    assert answer == "answer"
    assert await GenServer.call(pid, "seen") == [("continue", "more")]


@SERVERS
@on_virtual_clock
async def test_reply_then_timeout_delivers_the_timeout(server: type[Server]) -> None:
    pid = await server.start()

    answer = await GenServer.call(pid, Return(Reply("answer", then=Timeout(10))))
    await asyncio.sleep(30)

    assert answer == "answer"
    assert await GenServer.call(pid, "seen") == ["timeout"]


@SERVERS
async def test_reply_then_hibernate_replies(server: type[Server]) -> None:
    pid = await server.start()

    assert await GenServer.call(pid, Return(Reply("answer", then=Hibernate()))) == "answer"
    assert await GenServer.call(pid, "again") == "again"


@SERVERS
async def test_no_reply_then_continue_continues(server: type[Server]) -> None:
    pid = await server.start()

    with pytest.raises(CallTimeoutError):
        await GenServer.call(pid, Return(NoReply(then=Continue("more"))), timeout=0.005)

    assert await GenServer.call(pid, "seen") == [("continue", "more")]


@SERVERS
@pytest.mark.parametrize("value", ["bye", None, False])
async def test_stop_with_a_reply_replies_and_stops(server: type[Server], value: object) -> None:
    async with process.attach():
        pid = await server.start()
        ref = process.monitor(pid)

        assert await GenServer.call(pid, Return(Stop("normal", reply=value))) is value

        assert await process.receive(timeout=50) == Down(ref, pid, "normal")


@SERVERS
@pytest.mark.parametrize("reason", ["normal", "shutdown", ("shutdown", 1), "boom"])
async def test_stop_without_a_reply_is_an_exit_for_the_caller(
    server: type[Server], reason: object
) -> None:
    """Elixir: the caller exits with the server's reason, ``:normal`` too."""
    pid = await server.start()

    with pytest.raises(ExitError) as caught:
        await GenServer.call(pid, Return(Stop(reason)))

    assert caught.value.reason == reason
    assert not isinstance(caught.value, NoProcessError)


@SERVERS
async def test_call_after_a_stop_is_noproc(server: type[Server]) -> None:
    pid = await server.start()

    await GenServer.call(pid, Return(Stop("normal", reply="bye")))

    with pytest.raises(ExitError) as caught:
        await GenServer.call(pid, "hello")
    assert caught.value.reason in ("noproc", "normal")


@SERVERS
async def test_deferred_reply_comes_from_a_later_callback(server: type[Server]) -> None:
    pid = await server.start()
    calling = [asyncio.create_task(GenServer.call(pid, "owe")) for _ in range(3)]
    for _ in range(20):
        await asyncio.sleep(0)

    GenServer.cast(pid, "paid")

    assert await asyncio.gather(*calling) == ["paid"] * 3


async def test_reply_may_come_from_another_process() -> None:
    class Delegates(GenServer):
        def handle_call(self, request: object, from_: From) -> NoReply:
            async def answer() -> None:
                GenServer.reply(from_, f"from {process.current() != self.pid}")

            process.spawn(answer)
            return NoReply()

    pid = await Delegates.start()

    assert await GenServer.call(pid, "who") == "from True"


async def test_reply_may_come_from_outside_any_process() -> None:
    waiting: list[From] = []

    class Hands(GenServer):
        def handle_call(self, request: object, from_: From) -> NoReply:
            waiting.append(from_)
            return NoReply()

    calling = asyncio.create_task(GenServer.call(await Hands.start(), "hello"))
    while not waiting:
        await asyncio.sleep(0)

    GenServer.reply(waiting[0], "from nowhere")

    assert await calling == "from nowhere"


@SERVERS
async def test_only_the_first_reply_counts(server: type[Server]) -> None:
    async with process.attach():
        pid = await server.start()

        assert await GenServer.call(pid, "first then second") == "first"

        assert await GenServer.call(pid, "next") == "next"
        with pytest.raises(TimeoutError):
            await process.receive(timeout=0)


async def test_reply_to_a_caller_that_is_gone_is_silent() -> None:
    pid = await Server.start()
    calling = asyncio.create_task(GenServer.call(pid, "owe"))
    await asyncio.sleep(0)
    calling.cancel()
    await asyncio.wait([calling])

    GenServer.cast(pid, "late")

    assert await GenServer.call(pid, "still here") == "still here"


async def test_deferred_caller_is_told_when_the_server_stops_without_a_reply() -> None:
    pid = await Server.start()
    calling = asyncio.create_task(GenServer.call(pid, "owe", timeout=None))
    for _ in range(20):
        await asyncio.sleep(0)

    await GenServer.stop(pid)

    with pytest.raises(ExitError) as caught:
        await calling
    assert caught.value.reason == "normal"


async def test_no_reply_in_time_is_a_timeout_and_the_server_lives() -> None:
    pid = await Server.start()

    with pytest.raises(CallTimeoutError) as caught:
        await GenServer.call(pid, "owe", timeout=0.005)

    assert (caught.value.reason, caught.value.dest) == ("timeout", pid)
    assert await GenServer.call(pid, "still here") == "still here"


async def test_timeout_message_shows_the_destination_and_the_request() -> None:
    await Server.start(name="server")

    with pytest.raises(CallTimeoutError, match=r"server.*owe"):
        await GenServer.call("server", "owe", timeout=0.005)


@on_virtual_clock
async def test_call_without_timeout_waits_as_long_as_it_takes() -> None:
    pid = await Server.start()
    calling = asyncio.create_task(GenServer.call(pid, "owe", timeout=None))

    await asyncio.sleep(10_000)
    assert not calling.done()
    GenServer.cast(pid, "at last")

    assert await calling == "at last"


async def test_request_no_callback_knows_crashes_the_server() -> None:
    class Deaf(GenServer):
        pass

    pid = await Deaf.start()

    with pytest.raises(ExitError) as caught:
        await GenServer.call(pid, "what is this")

    assert isinstance(caught.value.reason, Exception)
    assert "what is this" in str(caught.value.reason)
    assert not process.is_alive(pid)


async def test_call_to_a_dead_or_unknown_server_fails_at_once() -> None:
    pid = await Server.start(name="server")
    await GenServer.stop(pid)

    for dest in (pid, "server"):
        with pytest.raises(NoProcessError):
            await GenServer.call(dest, "hello", timeout=None)


@pytest.mark.parametrize("dest", [42, None, b"server", ("a", "b"), object()])
async def test_destination_that_is_none_is_a_type_error(dest: object) -> None:
    with pytest.raises(TypeError):
        await GenServer.call(dest, "hello")


async def test_call_of_a_process_that_is_not_a_server_is_a_type_error() -> None:
    """On the BEAM such a call times out; here it is known at once, as `debug` knows it."""
    async with process.attach():
        pid = process.spawn(process.receive)

        with pytest.raises(TypeError):
            await GenServer.call(pid, "hello")

        assert process.is_alive(pid)


async def test_call_works_without_a_process_of_its_own() -> None:
    pid = await Server.start()

    with pytest.raises(NoProcessError):
        process.current()

    assert await GenServer.call(pid, "hello") == "hello"


async def test_many_callers_each_get_their_own_answer() -> None:
    pid = await AsyncServer.start()

    answers = await asyncio.gather(*(GenServer.call(pid, number) for number in range(200)))

    assert answers == list(range(200))
