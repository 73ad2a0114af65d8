"""``GenServer.cast``, ``handle_cast`` and ``handle_info``.

Sources: Elixir ``GenServer.cast/2``, ``handle_cast/2``, ``handle_info/2``.
"""

import asyncio

import pytest

from beamish import (
    IGNORE,
    Continue,
    Down,
    From,
    GenServer,
    Hibernate,
    NoReply,
    Pid,
    Reply,
    Stop,
    Timeout,
    process,
)

from .virtual_time import on_virtual_clock


class Server(GenServer):
    """Returns from the callback what it is told."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    def handle_cast(self, request: object) -> object:
        self.seen.append(("cast", request))
        return request

    def handle_info(self, message: object) -> object:
        self.seen.append(("info", message))
        return None if message == "timeout" else message

    def handle_continue(self, arg: object) -> object:
        self.seen.append(("continue", arg))
        return arg

    def handle_call(self, request: object, from_: From) -> object:
        return list(self.seen)


class AsyncServer(Server):
    async def handle_cast(self, request: object) -> object:
        await asyncio.sleep(0)
        return Server.handle_cast(self, request)

    async def handle_info(self, message: object) -> object:
        await asyncio.sleep(0)
        return Server.handle_info(self, message)

    async def handle_continue(self, arg: object) -> object:
        await asyncio.sleep(0)
        return Server.handle_continue(self, arg)


SERVERS = pytest.mark.parametrize("server", [Server, AsyncServer])
WAYS = {
    "handle_cast": GenServer.cast,
    "handle_info": process.send,
    "handle_continue": lambda pid, value: GenServer.cast(pid, Continue(value)),
}


@SERVERS
@pytest.mark.parametrize("way", WAYS)
async def test_none_goes_on(server: type[Server], way: str) -> None:
    pid = await server.start()

    WAYS[way](pid, None)

    assert (await GenServer.call(pid, "seen"))[-1] == (way.removeprefix("handle_"), None)


@SERVERS
@pytest.mark.parametrize("way", ["handle_cast", "handle_info"])
async def test_continue_goes_to_handle_continue(server: type[Server], way: str) -> None:
    pid = await server.start()

    WAYS[way](pid, Continue(None))

    assert (await GenServer.call(pid, "seen"))[-1] == ("continue", None)


@SERVERS
@pytest.mark.parametrize("way", WAYS)
@on_virtual_clock
async def test_timeout_comes_as_a_message(server: type[Server], way: str) -> None:
    pid = await server.start()

    WAYS[way](pid, Timeout(10))
    await asyncio.sleep(30)

    assert (await GenServer.call(pid, "seen"))[-1] == ("info", "timeout")


@SERVERS
@pytest.mark.parametrize("way", WAYS)
async def test_hibernate_goes_on(server: type[Server], way: str) -> None:
    pid = await server.start()

    WAYS[way](pid, Hibernate())

    assert len(await GenServer.call(pid, "seen")) >= 1


@SERVERS
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("reason", ["normal", "shutdown", "boom"])
async def test_stop_stops(server: type[Server], way: str, reason: str) -> None:
    async with process.attach():
        pid = await server.start()
        ref = process.monitor(pid)

        WAYS[way](pid, Stop(reason))

        assert await process.receive(timeout=50) == Down(ref, pid, reason)


@SERVERS
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "value", [42, "ok", False, (), Reply("x"), NoReply(), IGNORE, Stop], ids=repr
)
async def test_bad_return_value_crashes_the_server_and_is_shown(
    server: type[Server], way: str, value: object
) -> None:
    """OTP: ``{bad_return_value, Value}``."""
    async with process.attach():
        pid = await server.start()
        process.monitor(pid)

        WAYS[way](pid, value)

        down = await process.receive(timeout=50)
        assert isinstance(down.reason, Exception)
        assert repr(value) in str(down.reason)


async def test_cast_to_a_server_without_handle_cast_crashes_it() -> None:
    class Deaf(GenServer):
        pass

    async with process.attach():
        pid = await Deaf.start()
        process.monitor(pid)

        GenServer.cast(pid, "what is this")

        down = await process.receive(timeout=50)
        assert isinstance(down.reason, Exception)
        assert "what is this" in str(down.reason)


async def test_continue_without_handle_continue_crashes_the_server() -> None:
    class Casts(GenServer):
        def handle_cast(self, request: object) -> Continue:
            return Continue("go on")

    async with process.attach():
        pid = await Casts.start()
        process.monitor(pid)

        GenServer.cast(pid, "x")

        assert isinstance((await process.receive(timeout=50)).reason, Exception)


async def test_cast_returns_at_once_without_running_the_callback() -> None:
    order: list[str] = []

    class Records(GenServer):
        def handle_cast(self, request: object) -> None:
            order.append("handled")

    pid = await Records.start()

    assert GenServer.cast(pid, "x") is None
    order.append("cast")

    await GenServer.stop(pid)
    assert order == ["cast", "handled"]


async def test_cast_to_a_dead_or_unknown_server_is_silent() -> None:
    """Elixir ``GenServer.cast/2`` returns ``:ok`` whether the server exists or not."""
    pid = await Server.start()
    await GenServer.stop(pid)

    assert GenServer.cast(pid, "x") is None
    assert GenServer.cast("nobody", "x") is None


async def test_cast_by_name() -> None:
    await Server.start(name="server")

    GenServer.cast("server", None)

    assert await GenServer.call("server", "seen") == [("cast", None)]


async def test_unexpected_message_is_logged_and_the_server_goes_on(caplog) -> None:
    """Elixir's default ``handle_info/2`` logs what it did not expect."""

    class Plain(GenServer):
        def handle_call(self, request: object, from_: From) -> object:
            return request

    pid = await Plain.start()

    with caplog.at_level("DEBUG", logger="beamish"):
        process.send(pid, "surprise 7")
        assert await GenServer.call(pid, "still here") == "still here"

    records = [record for record in caplog.records if record.name.startswith("beamish")]
    assert len(records) == 1
    assert "surprise 7" in records[0].getMessage()


async def test_own_handle_info_can_fall_back_on_the_default(caplog) -> None:
    class Mostly(GenServer):
        def __init__(self) -> None:
            self.seen: list[object] = []

        def handle_info(self, message: object) -> object:
            if message == "known":
                self.seen.append(message)
                return None
            return super().handle_info(message)

        def handle_call(self, request: object, from_: From) -> object:
            return self.seen

    pid = await Mostly.start()

    with caplog.at_level("DEBUG", logger="beamish"):
        process.send(pid, "unknown 8")
        process.send(pid, "known")
        assert await GenServer.call(pid, "seen") == ["known"]

    assert "unknown 8" in caplog.text


async def test_server_may_message_itself_and_others() -> None:
    async with process.attach() as me:

        class Relay(GenServer):
            def __init__(self, to: Pid) -> None:
                self.to = to

            def handle_cast(self, request: object) -> None:
                process.send(self.pid, request)

            def handle_info(self, message: object) -> None:
                process.send(self.to, message)

        pid = await Relay.start(me)

        GenServer.cast(pid, "round trip")

        assert await process.receive(timeout=50) == "round trip"
