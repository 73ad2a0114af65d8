"""Names: local ones, ``Via`` with a name service of one's own, ``whereis`` and ``multi_call``.

Sources: Elixir ``GenServer``, "Name registration", ``whereis/1``, ``multi_call/4``.
"""

import asyncio

import pytest

from beamish import (
    AlreadyStartedError,
    Down,
    From,
    GenServer,
    NoProcessError,
    Pid,
    StartError,
    Stop,
    Via,
    call,
    process,
)

from .virtual_time import on_virtual_clock


class Directory:
    """A name service as a user would write it: a dict, and no knowledge of processes."""

    def __init__(self) -> None:
        self.pids: dict[object, Pid] = {}

    def register_name(self, name: object, pid: Pid) -> bool:
        return self.pids.setdefault(name, pid) == pid

    def unregister_name(self, name: object) -> None:
        self.pids.pop(name, None)

    def whereis_name(self, name: object) -> Pid | None:
        return self.pids.get(name)


class Server(GenServer):
    def __init__(self, answer: object = None) -> None:
        self.answer = answer
        self.seen: list[object] = []

    def init(self) -> Stop | None:
        return Stop("refused") if self.answer == "refuse" else None

    async def handle_call(self, request: object, from_: From) -> object:
        match request:
            case "seen":
                return self.seen
            case "wait":
                await asyncio.Event().wait()
        return self.answer

    def handle_cast(self, request: object) -> None:
        self.seen.append(request)

    def handle_info(self, message: object) -> None:
        self.seen.append(message)

    @call
    def ask(self) -> object:
        return self.answer


async def test_whereis_finds_a_name() -> None:
    pid = await Server.start(name="server")

    assert GenServer.whereis("server") == pid
    assert GenServer.whereis(pid) == pid
    assert GenServer.whereis("nobody") is None


async def test_whereis_finds_a_via() -> None:
    directory = Directory()
    pid = await Server.start(name=Via(directory, ("any", "key")))

    assert GenServer.whereis(Via(directory, ("any", "key"))) == pid
    assert GenServer.whereis(Via(directory, "other")) is None


async def test_via_is_a_destination_for_everything() -> None:
    async with process.attach():
        via = Via(Directory(), "key")
        pid = await Server.start("answer", name=via)
        ref = process.monitor(via)

        GenServer.cast(via, "cast")
        process.send(via, "sent")

        assert await GenServer.call(via, "seen") == ["cast", "sent"]
        assert await Server.ask(via) == "answer"
        await GenServer.stop(via)
        down = await process.receive(timeout=50)
        assert (down.ref, down.reason) == (ref, "normal")
        assert not process.is_alive(pid)


async def test_via_that_leads_nowhere_is_noproc() -> None:
    async with process.attach():
        via = Via(Directory(), "key")

        with pytest.raises(NoProcessError) as caught:
            await GenServer.call(via, "hello")
        assert caught.value.dest == via
        with pytest.raises(NoProcessError):
            await GenServer.stop(via)
        with pytest.raises(NoProcessError):
            process.send(via, "hello")
        assert GenServer.cast(via, "hello") is None
        ref = process.monitor(via)
        assert await process.receive(timeout=50) == Down(ref, via, "noproc")


async def test_taken_via_name_keeps_its_holder() -> None:
    via = Via(Directory(), "key")
    pid = await Server.start(name=via)

    with pytest.raises(AlreadyStartedError) as caught:
        await Server.start(name=via)

    assert caught.value.pid == pid
    assert GenServer.whereis(via) == pid


async def test_via_name_is_registered_before_the_constructor_runs() -> None:
    found: list[object] = []
    via = Via(Directory(), "key")

    class Looks(GenServer):
        def __init__(self) -> None:
            found.append(GenServer.whereis(via))

    pid = await Looks.start(name=via)

    assert found == [pid]


@pytest.mark.parametrize("end", ["stop", "boom", "kill"])
async def test_via_name_is_gone_with_its_process(end: str) -> None:
    async with process.attach():
        directory = Directory()
        pid = await Server.start(name=Via(directory, "key"))
        process.monitor(pid)

        if end == "stop":
            await GenServer.stop(pid)
        else:
            process.exit(pid, end)
        await process.receive(timeout=50)

        assert directory.pids == {}


async def test_via_name_is_gone_after_a_failed_start() -> None:
    """OTP ``gen``: the name is unregistered when ``init`` fails."""
    directory = Directory()

    with pytest.raises(StartError):
        await Server.start("refuse", name=Via(directory, "key"))

    assert directory.pids == {}


async def test_name_service_that_raises_fails_the_start() -> None:
    class Broken(Directory):
        def register_name(self, name: object, pid: Pid) -> bool:
            raise ConnectionError("out of order")

    before = set(process.processes())

    with pytest.raises((StartError, ConnectionError)):
        await Server.start(name=Via(Broken(), "key"))

    assert set(process.processes()) == before


def test_equal_vias_are_equal_and_hashable() -> None:
    directory = Directory()

    assert Via(directory, "key") == Via(directory, "key")
    assert len({Via(directory, "key"), Via(directory, "key"), Via(directory, "other")}) == 2


async def test_multi_call_gathers_every_reply() -> None:
    pids = [await Server.start(number) for number in range(3)]
    await Server.start("named", name="named")

    replies, failures = await GenServer.multi_call([*pids, "named"], "ask")

    assert dict(replies) == {pids[0]: 0, pids[1]: 1, pids[2]: 2, "named": "named"}
    assert list(failures) == []


async def test_multi_call_tells_who_did_not_answer() -> None:
    """Elixir ``multi_call/4``: dead, unknown and slow servers are among the failures."""
    alive, dead, slow = [await Server.start(number) for number in range(3)]
    await GenServer.stop(dead)
    process.exit(slow, "kill")

    replies, failures = await GenServer.multi_call([alive, dead, slow, "nobody"], "ask")

    assert dict(replies) == {alive: 0}
    assert set(dict(failures)) == {dead, slow, "nobody"}


async def test_multi_call_gives_up_on_the_slow_and_keeps_the_rest() -> None:
    pids = [await Server.start(number) for number in range(2)]

    replies, failures = await GenServer.multi_call(pids, "wait", timeout=0.005)

    assert dict(replies) == {}
    assert set(dict(failures)) == set(pids)


@on_virtual_clock
async def test_multi_call_waits_for_all_at_the_same_time() -> None:
    loop = asyncio.get_running_loop()
    pids = [await Server.start(number) for number in range(20)]
    started = loop.time()

    await GenServer.multi_call(pids, "wait", timeout=50)

    assert 50 <= loop.time() - started < 100


async def test_multi_call_of_nobody_is_empty() -> None:
    replies, failures = await GenServer.multi_call([], "ask")

    assert dict(replies) == {}
    assert list(failures) == []
