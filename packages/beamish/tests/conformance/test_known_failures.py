"""What went wrong in other Python libraries of this kind. Each failure is a test."""

import asyncio
import time

import pytest

from beamish import (
    AlreadyRegisteredError,
    AlreadyStartedError,
    CallTimeoutError,
    Down,
    ExitError,
    From,
    GenServer,
    NoProcessError,
    NoReply,
    Pid,
    call,
    cast,
    process,
)


class Bank(GenServer):
    """Two accounts; a transfer that fails does so in the middle."""

    def __init__(self, terminated: list[object] | None = None) -> None:
        self.left, self.right = 100, 0
        self.terminated = terminated
        self.starts = id(self)

    @call
    def transfer(self, amount: int) -> int:
        self.left -= amount
        if self.left < 0:
            raise ValueError("not enough money")
        self.right += amount
        return self.right

    @call
    async def slow_transfer(self, amount: int) -> int:
        self.left -= amount
        await asyncio.sleep(0)
        raise ValueError("the connection broke")

    @call
    async def wait(self, gate: asyncio.Event) -> str:
        await gate.wait()
        return "waited"

    @call
    def identity(self) -> int:
        return self.starts

    @call
    def never(self, *, from_: From) -> NoReply:
        return NoReply()

    @cast
    def crash(self) -> None:
        raise ValueError("crash")

    def handle_call(self, request: object, from_: From) -> object:
        if request == "transfer":
            self.left -= 60
            raise ValueError("in the middle")
        return self.left, self.right

    def terminate(self, reason: object) -> None:
        if self.terminated is not None:
            self.terminated.append(reason)


@pytest.mark.parametrize(
    "calling",
    [
        lambda pid: GenServer.call(pid, "transfer", timeout=None),
        lambda pid: Bank.transfer.timeout(None)(pid, 500),
        lambda pid: Bank.slow_transfer.timeout(None)(pid, 1),
    ],
    ids=["handle_call", "method", "async method"],
)
async def test_crash_during_a_call_does_not_leave_the_caller_hanging(calling) -> None:
    pid = await Bank.start()

    with pytest.raises(ExitError):
        await asyncio.wait_for(calling(pid), 5)


async def test_crash_does_not_leave_the_callers_in_the_queue_hanging() -> None:
    pid = await Bank.start()
    gate = asyncio.Event()
    calls = [asyncio.create_task(Bank.wait.timeout(None)(pid, gate))]
    await asyncio.sleep(0)
    Bank.crash(pid)
    calls += [asyncio.create_task(GenServer.call(pid, "state", timeout=None)) for _ in range(5)]
    calls += [asyncio.create_task(Bank.never.timeout(None)(pid)) for _ in range(5)]
    await asyncio.sleep(0)

    gate.set()
    results = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 5)

    assert results[0] == "waited"
    assert all(isinstance(result, ExitError) for result in results[1:])


async def test_callers_timeout_neither_kills_nor_restarts_the_server() -> None:
    pid = await Bank.start(name="bank")
    identity = await Bank.identity(pid)
    gate = asyncio.Event()

    with pytest.raises(CallTimeoutError):
        await Bank.wait.timeout(0.005)(pid, gate)
    gate.set()

    assert process.whereis("bank") == pid
    assert await Bank.identity(pid) == identity


async def test_callers_timeout_does_not_cancel_what_the_server_does() -> None:
    finished: list[str] = []
    gate = asyncio.Event()

    class Worker(GenServer):
        @call
        async def work(self) -> None:
            await gate.wait()
            finished.append("work")

        @call
        def ping(self) -> None:
            pass

    pid = await Worker.start()
    with pytest.raises(CallTimeoutError):
        await Worker.work.timeout(0.005)(pid)

    gate.set()
    await Worker.ping(pid)

    assert finished == ["work"]


async def test_dead_server_is_noticed_at_once_and_not_by_a_timeout() -> None:
    pid = await Bank.start()
    process.exit(pid, "kill")
    started = time.monotonic()

    for _ in range(3):
        with pytest.raises(ExitError) as caught:
            await GenServer.call(pid, "state", timeout=60)
        assert not isinstance(caught.value, CallTimeoutError)

    assert time.monotonic() - started < 50


async def test_server_that_dies_while_it_is_waited_for_is_noticed_at_once(settle) -> None:
    pid = await Bank.start()
    calling = asyncio.create_task(Bank.never.timeout(60)(pid))
    await settle()
    started = time.monotonic()

    Bank.crash(pid)

    with pytest.raises(ExitError) as caught:
        await calling
    assert not isinstance(caught.value, CallTimeoutError)
    assert time.monotonic() - started < 50


async def test_monitor_references_do_not_collide() -> None:
    async with process.attach():
        first, second = await Bank.start(), await Bank.start()
        refs = [process.monitor(pid) for _ in range(500) for pid in (first, second)]
        await Bank.identity(first)
        refs += [process.monitor(first), process.monitor(second)]

        process.exit(first, "first")
        process.exit(second, "second")
        downs = [await process.receive(timeout=50) for _ in refs]

        assert len(set(refs)) == len(refs) == len({down.ref for down in downs})
        expected = dict(zip(refs, [first, second] * 501, strict=True))
        assert all(expected[down.ref] == down.pid for down in downs)
        assert all(down.reason == ("first" if down.pid == first else "second") for down in downs)


async def test_references_of_monitors_and_timers_do_not_collide() -> None:
    async with process.attach() as me:
        pid = await Bank.start()
        monitors = {process.monitor(pid) for _ in range(100)}
        timers = {process.send_after(me, "ring", 60) for _ in range(100)}

        assert len(monitors | timers) == 200
        for timer in timers:
            process.cancel_timer(timer)
        await GenServer.stop(pid)
        assert {(await process.receive(timeout=50)).ref for _ in monitors} == monitors


async def test_call_swallows_no_message_that_waits_in_the_callers_mailbox() -> None:
    async with process.attach() as me:
        pid = await Bank.start()
        process.send(me, "before")
        ref = process.monitor("nobody")
        process.send(me, None)

        assert await GenServer.call(pid, "state") == (100, 0)
        assert await Bank.wait(pid, _open_gate()) == "waited"
        process.send(me, "after")

        waiting = [await process.receive(timeout=0) for _ in range(4)]
        assert waiting == ["before", Down(ref, "nobody", "noproc"), None, "after"]


async def test_call_swallows_no_message_that_arrives_while_it_waits(settle) -> None:
    async with process.attach() as me:
        pid = await Bank.start()
        gate = asyncio.Event()

        async def disturb() -> None:
            process.send(me, 1)
            await settle()
            process.send(me, 2)
            gate.set()

        process.spawn(disturb)
        assert await Bank.wait(pid, gate) == "waited"

        assert [await process.receive(timeout=50) for _ in range(2)] == [1, 2]


async def test_failed_calls_swallow_no_messages() -> None:
    async with process.attach() as me:
        pid = await Bank.start()
        process.send(me, "waits")

        with pytest.raises(CallTimeoutError):
            await Bank.never.timeout(0.001)(pid)
        with pytest.raises(ExitError):
            await GenServer.call(pid, "transfer")
        with pytest.raises(NoProcessError):
            await GenServer.call(pid, "state")

        assert await process.receive(timeout=0) == "waits"
        with pytest.raises(TimeoutError):
            await process.receive(timeout=0)


async def test_taken_name_is_never_overwritten() -> None:
    holder = await Bank.start(name="bank")
    stranger = await Bank.start()

    with pytest.raises(AlreadyStartedError):
        await Bank.start(name="bank")
    with pytest.raises(AlreadyRegisteredError):
        process.register(stranger, "bank")
    await GenServer.stop(stranger)

    assert process.whereis("bank") == holder
    assert await GenServer.call("bank", "state") == (100, 0)


async def test_end_of_a_former_holder_does_not_free_the_name_of_the_new_one() -> None:
    async with process.attach():
        former = await Bank.start(name="bank")
        process.unregister("bank")
        holder = await Bank.start(name="bank")
        ref = process.monitor(former)

        process.exit(former, "kill")
        assert (await process.receive(timeout=50)).ref == ref

        assert process.whereis("bank") == holder


@pytest.mark.parametrize("end", ["stop", "crash in a call", "crash in a cast"])
async def test_terminate_runs_whichever_way_the_server_ends(end: str) -> None:
    async with process.attach():
        terminated: list[object] = []
        pid = await Bank.start(terminated)
        process.monitor(pid)

        match end:
            case "stop":
                await GenServer.stop(pid)
            case "crash in a call":
                with pytest.raises(ExitError):
                    await Bank.transfer(pid, 500)
            case "crash in a cast":
                Bank.crash(pid)
        down = await process.receive(timeout=50)

        assert terminated == [down.reason]


@pytest.mark.parametrize(
    "calling",
    [
        lambda pid: GenServer.call(pid, "transfer"),
        lambda pid: Bank.transfer(pid, 500),
        lambda pid: Bank.slow_transfer(pid, 50),
    ],
    ids=["handle_call", "method", "async method"],
)
async def test_server_does_not_go_on_with_half_changed_state(calling) -> None:
    """The exception goes to the caller, and the server dies of it."""
    pid = await Bank.start(name="bank")

    with pytest.raises(ExitError):
        await calling(pid)

    assert not process.is_alive(pid)
    assert process.whereis("bank") is None
    with pytest.raises(NoProcessError):
        await GenServer.call(pid, "state")


async def test_queued_requests_do_not_meet_half_changed_state(settle) -> None:
    pid = await Bank.start()
    gate = asyncio.Event()
    waiting = asyncio.create_task(Bank.wait(pid, gate))
    await settle()
    failing = asyncio.create_task(Bank.transfer(pid, 500))
    asking = asyncio.create_task(GenServer.call(pid, "state"))
    await settle()

    gate.set()
    results = await asyncio.gather(waiting, failing, asking, return_exceptions=True)

    assert results[0] == "waited"
    assert isinstance(results[1], ExitError)
    assert isinstance(results[2], ExitError)


async def test_server_that_is_restarted_by_hand_starts_afresh() -> None:
    pid = await Bank.start(name="bank")
    with pytest.raises(ExitError):
        await Bank.transfer("bank", 500)

    again = await Bank.start(name="bank")

    assert isinstance(again, Pid)
    assert again != pid
    assert await GenServer.call("bank", "state") == (100, 0)


def _open_gate() -> asyncio.Event:
    gate = asyncio.Event()
    gate.set()
    return gate
