"""Signals from one process to another arrive in the order sent.

Source: Erlang reference manual, "Processes", Signals: delivery order is kept between a pair.
"""

import asyncio

import pytest

from beamish import Down, Exit, ExitError, From, GenServer, NoReply, Pid, Reply, Stop, process


class Log(GenServer):
    """Remembers everything it was told; ``hold`` keeps it busy until its gate opens."""

    def __init__(self, gate: asyncio.Event | None = None) -> None:
        self.gate = gate
        self.seen: list[object] = []

    async def init(self) -> None:
        """Do nothing; a server with an async start is as ordered as another."""

    def handle_call(self, request: object, from_: From) -> object:
        self.seen.append(request)
        return list(self.seen)

    def handle_info(self, message: object) -> None:
        self.seen.append(message)

    def handle_cast(self, request: object) -> None:
        self.seen.append(request)


class Trapping(Log, trap_exit=True):
    pass


class Held(Log):
    """The same, but a cast of ``hold`` suspends."""

    async def handle_cast(self, request: object) -> None:
        if request == "hold":
            await self.gate.wait()
        self.seen.append(request)


class Talker(GenServer):
    """Sends messages to the caller around its reply, from every kind of callback."""

    def __init__(self, watcher: Pid) -> None:
        self.watcher = watcher
        process.send(watcher, "from __init__")

    def init(self) -> None:
        process.send(self.watcher, "from init")

    def handle_call(self, request: object, from_: From) -> object:
        process.send(self.watcher, "before the reply")
        match request:
            case "reply":
                return "reply"
            case "reply later":
                process.send(self.pid, from_)
                return NoReply()
            case "die":
                return Stop("boom")
        return Reply("reply")

    def handle_info(self, message: object) -> None:
        assert isinstance(message, From)
        process.send(self.watcher, "just before the reply")
        GenServer.reply(message, "reply")

    def terminate(self, reason: object) -> None:
        process.send(self.watcher, "from terminate")


async def received() -> list[object]:
    """Everything in the caller's mailbox now."""
    messages = []
    while True:
        try:
            messages.append(await process.receive(timeout=0))
        except TimeoutError:
            return messages


async def test_messages_casts_and_calls_arrive_in_the_order_sent() -> None:
    pid = await Log.start()

    process.send(pid, 1)
    GenServer.cast(pid, 2)
    process.send(pid, 3)

    assert await GenServer.call(pid, 4) == [1, 2, 3, 4]


async def test_call_does_not_overtake_what_waits_at_a_busy_server() -> None:
    gate = asyncio.Event()
    pid = await Held.start(gate)
    GenServer.cast(pid, "hold")
    await asyncio.sleep(0)
    process.send(pid, 1)
    GenServer.cast(pid, 2)

    calling = asyncio.create_task(GenServer.call(pid, 3))
    await asyncio.sleep(0)
    gate.set()

    assert await calling == ["hold", 1, 2, 3]


async def test_order_holds_while_the_server_goes_from_busy_to_idle(settle) -> None:
    """The step between the end of a busy spell and the idle state must not reorder."""
    gate = asyncio.Event()
    pid = await Held.start(gate)
    expected: list[object] = []

    for round_number in range(30):
        gate.clear()
        GenServer.cast(pid, "hold")
        GenServer.cast(pid, (round_number, "a"))
        await asyncio.sleep(0)
        gate.set()
        for _ in range(round_number % 5):
            await asyncio.sleep(0)
        process.send(pid, (round_number, "b"))
        expected += ["hold", *((round_number, letter) for letter in "abc")]
        seen = await GenServer.call(pid, (round_number, "c"))

        assert seen == expected


async def test_ten_thousand_messages_keep_their_order() -> None:
    pid = await Log.start()

    for number in range(10_000):
        if number % 2:
            GenServer.cast(pid, number)
        else:
            process.send(pid, number)

    assert await GenServer.call(pid, 10_000) == list(range(10_001))


async def test_name_and_pid_are_one_destination() -> None:
    pid = await Log.start(name="log")

    GenServer.cast("log", 1)
    GenServer.cast(pid, 2)
    process.send("log", 3)

    assert await GenServer.call(pid, 4) == [1, 2, 3, 4]


async def test_trapped_exit_keeps_its_place_among_messages() -> None:
    async with process.attach() as me:
        pid = await Trapping.start()

        process.send(pid, 1)
        process.exit(pid, "trapped")
        process.send(pid, 2)

        assert await GenServer.call(pid, 3) == [1, Exit(me, "trapped"), 2, 3]


async def test_call_after_an_exit_signal_is_never_answered() -> None:
    async with process.attach():
        pid = await Log.start()

        process.exit(pid, "boom")

        with pytest.raises(ExitError) as caught:
            await GenServer.call(pid, "too late")
        assert caught.value.reason in ("boom", "noproc")


async def test_monitor_before_an_exit_signal_tells_its_reason() -> None:
    async with process.attach():
        pid = await Log.start()

        ref = process.monitor(pid)
        process.exit(pid, "boom")

        assert await process.receive(timeout=50) == Down(ref, pid, "boom")


async def test_monitor_after_an_exit_signal_is_too_late_for_its_reason() -> None:
    async with process.attach():
        pid = await Log.start()

        process.exit(pid, "boom")
        ref = process.monitor(pid)

        assert await process.receive(timeout=50) == Down(ref, pid, "noproc")


async def test_unlink_before_an_exit_signal_keeps_it_away() -> None:
    async with process.attach() as me:
        pid = await Log.start_link()

        process.unlink(pid)
        ref = process.monitor(pid)
        process.exit(pid, "boom")

        assert await process.receive(timeout=50) == Down(ref, pid, "boom")
        assert process.is_alive(me)


async def test_stop_comes_after_what_was_sent_before() -> None:
    """Elixir ``GenServer.stop/3`` is a message in the queue like another."""
    handled: list[object] = []

    class Slow(GenServer):
        async def handle_cast(self, request: object) -> None:
            await asyncio.sleep(0)
            handled.append(request)

    pid = await Slow.start()
    for number in range(10):
        GenServer.cast(pid, number)

    await GenServer.stop(pid)

    assert handled == list(range(10))


async def test_messages_of_the_start_are_there_when_start_link_returns() -> None:
    async with process.attach() as me:
        await Talker.start_link(me)

        assert await received() == ["from __init__", "from init"]


@pytest.mark.parametrize(
    ("request_", "messages"),
    [
        ("reply", ["before the reply"]),
        ("reply later", ["before the reply", "just before the reply"]),
    ],
)
async def test_messages_before_a_reply_are_there_when_it_is(
    request_: str, messages: list[str]
) -> None:
    async with process.attach() as me:
        pid = await Talker.start(me)
        await received()

        await GenServer.call(pid, request_)

        assert await received() == messages


async def test_last_messages_come_before_the_down() -> None:
    async with process.attach() as me:
        pid = await Talker.start(me)
        ref = process.monitor(pid)
        await received()

        with pytest.raises(ExitError):
            await GenServer.call(pid, "die")

        got = [await process.receive(timeout=50) for _ in range(3)]
        assert got == ["before the reply", "from terminate", Down(ref, pid, "boom")]


async def test_last_messages_come_before_the_exit_of_a_link() -> None:
    async with process.attach() as me:
        process.flag(trap_exit=True)

        async def talk() -> None:
            for number in range(5):
                process.send(me, number)

        pid = process.spawn_link(talk)

        got = [await process.receive(timeout=50) for _ in range(6)]
        assert got == [0, 1, 2, 3, 4, Exit(pid, "normal")]


async def test_server_to_server_order_holds_for_casts_and_a_call() -> None:
    log = await Log.start()

    class Sender(GenServer):
        async def handle_call(self, request: object, from_: From) -> object:
            GenServer.cast(log, 1)
            process.send(log, 2)
            return await GenServer.call(log, 3)

    sender = await Sender.start()

    assert await GenServer.call(sender, "go") == [1, 2, 3]


async def test_casts_of_concurrent_senders_each_keep_their_order() -> None:
    pid = await Log.start()

    async def send(letter: str) -> None:
        for number in range(100):
            GenServer.cast(pid, (letter, number))
            if number % 7 == 0:
                await asyncio.sleep(0)

    await asyncio.gather(*(send(letter) for letter in "abcd"))

    seen = await GenServer.call(pid, "end")
    for letter in "abcd":
        assert [n for name, n in seen[:-1] if name == letter] == list(range(100))


async def test_concurrent_calls_are_answered_in_the_order_made() -> None:
    gate = asyncio.Event()
    pid = await Held.start(gate)
    GenServer.cast(pid, "hold")
    await asyncio.sleep(0)

    calls = [asyncio.create_task(GenServer.call(pid, number)) for number in range(20)]
    await asyncio.sleep(0)
    gate.set()
    answers = await asyncio.gather(*calls)

    assert answers[-1] == ["hold", *range(20)]
