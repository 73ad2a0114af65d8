"""No process, however busy, keeps the event loop from its other work.

Source: Erlang efficiency guide, "Processes": a process is scheduled out after its reductions.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from beamish import CallTimeoutError, From, GenServer, NoProcessError, Pid, Stop, process


class Perpetual(GenServer):
    """Sends itself a message for every message, until it is told to stop."""

    def __init__(self, turns: list[int]) -> None:
        self.turns = turns

    def init(self) -> None:
        process.send(self.pid, "again")

    def handle_info(self, message: object) -> None:
        self.turns[0] += 1
        process.send(self.pid, message)

    def handle_cast(self, request: object) -> Stop:
        return Stop("normal")

    def handle_call(self, request: object, from_: From) -> object:
        return request


class Echo(GenServer):
    def handle_call(self, request: object, from_: From) -> object:
        return request

    def handle_info(self, message: object) -> None:
        pass


async def test_server_that_never_rests_leaves_the_loop_to_others() -> None:
    turns = [0]
    pid = await Perpetual.start(turns)

    for _ in range(100):
        await asyncio.sleep(0)

    assert turns[0] > 0
    GenServer.cast(pid, "stop")


async def test_timers_fire_beside_a_server_that_never_rests() -> None:
    pid = await Perpetual.start([0])

    await asyncio.wait_for(asyncio.sleep(0.01), 50)

    GenServer.cast(pid, "stop")


async def test_server_that_never_rests_answers_calls() -> None:
    pid = await Perpetual.start([0])

    assert [await GenServer.call(pid, number) for number in range(50)] == list(range(50))
    GenServer.cast(pid, "stop")


async def test_other_servers_get_their_turn_beside_one_that_never_rests() -> None:
    busy, other = await Perpetual.start([0]), await Echo.start()

    for number in range(50):
        process.send(other, "message")
        assert await GenServer.call(other, number) == number
    GenServer.cast(busy, "stop")


async def test_servers_that_never_rest_take_turns() -> None:
    """The run queue is a queue: who has had its turn goes to the end."""
    turns = [[0] for _ in range(5)]
    pids = [await Perpetual.start(counter) for counter in turns]

    for _ in range(1000):
        await asyncio.sleep(0)
        if all(counter[0] >= 100 for counter in turns):
            break

    counts = [counter[0] for counter in turns]
    for pid in pids:
        process.exit(pid, "kill")
    assert min(counts) >= 100
    assert max(counts) <= 10 * min(counts)


async def test_call_times_out_beside_a_server_that_never_rests() -> None:
    class Mute(GenServer):
        async def handle_call(self, request: object, from_: From) -> object:
            await asyncio.Event().wait()
            return None

    busy, mute = await Perpetual.start([0]), await Mute.start()
    started = time.monotonic()

    with pytest.raises(CallTimeoutError):
        await GenServer.call(mute, "hello", timeout=0.02)

    assert time.monotonic() - started < 10
    GenServer.cast(busy, "stop")
    process.exit(mute, "kill")


async def test_two_servers_that_keep_each_other_busy_leave_the_loop_to_others() -> None:
    turns = [0]

    class Player(GenServer):
        def handle_info(self, message: object) -> None:
            turns[0] += 1
            process.send(message, self.pid)

    first, second = await Player.start(), await Player.start()
    process.send(first, second)

    for _ in range(100):
        await asyncio.sleep(0)

    assert turns[0] > 0
    process.exit(first, "kill")


async def test_exit_signal_ends_a_server_that_never_rests() -> None:
    async with process.attach():
        pid = await Perpetual.start([0])
        process.monitor(pid)

        process.exit(pid, "enough")

        assert (await process.receive(timeout=50)).reason == "enough"


async def test_full_mailbox_is_worked_off_in_bounded_batches(settle) -> None:
    beats = [0]
    pid = await Echo.start()
    for _ in range(400_000):
        process.send(pid, "message")

    beating = asyncio.create_task(beat(beats))
    await GenServer.call(pid, "end")
    beating.cancel()

    assert beats[0] >= 3


async def beat(beats: list[int]) -> None:
    while True:
        await asyncio.sleep(0)
        beats[0] += 1


async def call_an_idle_server(pid: Pid) -> None:
    await GenServer.call(pid, "hello")


async def call_a_dead_server(pid: Pid) -> None:
    if process.is_alive(pid):
        await GenServer.stop(pid)
    with pytest.raises(NoProcessError):
        await GenServer.call(pid, "hello")


async def start_a_server(pid: Pid) -> None:
    await Echo.start()


async def start_and_stop_a_server(pid: Pid) -> None:
    await GenServer.stop(await Echo.start())


async def receive_what_was_sent(pid: Pid) -> None:
    process.send(process.current(), "hello")
    await process.receive()


@pytest.mark.parametrize(
    "step",
    [
        call_an_idle_server,
        call_a_dead_server,
        start_a_server,
        start_and_stop_a_server,
        receive_what_was_sent,
    ],
)
async def test_client_that_is_always_answered_at_once_leaves_the_loop_to_others(
    step: Callable[[Pid], Awaitable[None]],
) -> None:
    """Operations that need not wait still let the loop run now and then."""
    async with process.attach():
        beats = [0]
        pid = await Echo.start()
        beating = asyncio.create_task(beat(beats))
        given_up = time.monotonic() + 10

        while beats[0] < 5 and time.monotonic() < given_up:
            await step(pid)

        beating.cancel()
        assert beats[0] >= 5


async def test_server_that_calls_without_end_leaves_the_loop_to_others() -> None:
    beats = [0]
    echo = await Echo.start()

    class Busy(GenServer):
        async def handle_call(self, request: object, from_: From) -> object:
            given_up = time.monotonic() + 10
            while beats[0] < 5 and time.monotonic() < given_up:
                await GenServer.call(echo, "hello")
            return request

    beating = asyncio.create_task(beat(beats))
    await GenServer.call(await Busy.start(), "go", timeout=50)
    beating.cancel()

    assert beats[0] >= 5


@pytest.mark.slow
async def test_sync_callback_that_blocks_is_reported(caplog) -> None:
    class Blocker(GenServer):
        def handle_call(self, request: object, from_: From) -> object:
            while "Blocker" not in caplog.text:
                time.sleep(0.01)
            return request

    pid = await Blocker.start()

    with caplog.at_level("DEBUG", logger="beamish"):
        await GenServer.call(pid, "block", timeout=None)  # returns when it is reported
