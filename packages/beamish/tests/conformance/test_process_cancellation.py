"""Cancelling a task that waits leaves the server unharmed; its late reply is dropped.

Source: Elixir ``GenServer.call/3``, timeouts: a late reply must not reach the caller.
"""

import asyncio

import pytest

from beamish import CallTimeoutError, From, GenServer, NoReply, process


class Slow(GenServer):
    """Answers ``wait`` when its gate opens, ``later`` when told to."""

    def __init__(self, gate: asyncio.Event) -> None:
        self.gate = gate
        self.handled: list[object] = []
        self.owed: list[From] = []

    async def handle_call(self, request: object, from_: From) -> object:
        match request:
            case "wait":
                await self.gate.wait()
            case "later":
                self.owed.append(from_)
                return NoReply()
            case "pay":
                for owed in self.owed:
                    GenServer.reply(owed, "late")
        self.handled.append(request)
        return list(self.handled)


async def nothing_came() -> bool:
    """Whether the caller's mailbox is empty."""
    try:
        await process.receive(timeout=0)
    except TimeoutError:
        return True
    return False


@pytest.mark.parametrize("request_", ["wait", "later"])
async def test_cancelled_call_leaves_the_server_unharmed(request_: str, settle) -> None:
    gate = asyncio.Event()
    pid = await Slow.start(gate)
    calling = asyncio.create_task(GenServer.call(pid, request_))
    await settle()

    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    gate.set()

    assert (await GenServer.call(pid, "ping"))[-1] == "ping"
    assert process.is_alive(pid)


async def test_callback_of_a_cancelled_call_runs_to_its_end(settle) -> None:
    gate = asyncio.Event()
    pid = await Slow.start(gate)
    calling = asyncio.create_task(GenServer.call(pid, "wait"))
    await settle()

    calling.cancel()
    await settle()
    gate.set()

    assert await GenServer.call(pid, "ping") == ["wait", "ping"]


async def test_reply_to_a_cancelled_call_is_dropped(settle) -> None:
    async with process.attach():
        gate = asyncio.Event()
        pid = await Slow.start(gate)
        calling = asyncio.create_task(GenServer.call(pid, "later"))
        await settle()

        calling.cancel()
        await GenServer.call(pid, "pay")
        await settle()

        assert await nothing_came()
        assert process.is_alive(pid)


@pytest.mark.parametrize("request_", ["wait", "later"])
async def test_reply_after_a_timeout_is_dropped(request_: str, settle) -> None:
    async with process.attach():
        gate = asyncio.Event()
        pid = await Slow.start(gate)

        with pytest.raises(CallTimeoutError):
            await GenServer.call(pid, request_, timeout=0.005)
        gate.set()
        await GenServer.call(pid, "pay")
        await settle()

        assert await nothing_came()


async def test_late_reply_is_not_taken_for_the_answer_to_the_next_call(settle) -> None:
    async with process.attach():
        gate = asyncio.Event()
        pid = await Slow.start(gate)
        with pytest.raises(CallTimeoutError):
            await GenServer.call(pid, "later", timeout=0.005)
        next_call = asyncio.create_task(GenServer.call(pid, "wait"))
        await settle()

        gate.set()

        assert await next_call == ["wait"]
        assert await GenServer.call(pid, "pay") == ["wait", "pay"]


async def test_asyncio_timeout_around_a_call_is_a_plain_timeout() -> None:
    async with process.attach() as me:
        pid = await Slow.start(asyncio.Event())

        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.005):
                await GenServer.call(pid, "wait")

        assert not isinstance(caught.value, CallTimeoutError)
        assert process.is_alive(pid)
        assert process.is_alive(me)
        process.exit(pid, "kill")


async def test_wait_for_around_a_call_leaves_the_server_unharmed() -> None:
    gate = asyncio.Event()
    pid = await Slow.start(gate)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(GenServer.call(pid, "wait"), 0.005)
    gate.set()

    assert await GenServer.call(pid, "ping") == ["wait", "ping"]


async def test_cancelled_caller_in_the_middle_does_not_disturb_its_neighbours(settle) -> None:
    gate = asyncio.Event()
    pid = await Slow.start(gate)
    calls = [asyncio.create_task(GenServer.call(pid, "wait")) for _ in range(5)]
    await settle()

    calls[0].cancel()
    calls[2].cancel()
    await settle()
    gate.set()
    results = await asyncio.gather(*calls, return_exceptions=True)

    assert [isinstance(result, list) for result in results] == [False, True, False, True, True]


async def test_cancellation_and_reply_in_the_same_step_do_no_harm(settle) -> None:
    """The caller ends either way; what must not happen is a crash or a stray message."""
    async with process.attach():
        gate = asyncio.Event()
        pid = await Slow.start(gate)
        for _ in range(20):
            calling = asyncio.create_task(GenServer.call(pid, "wait"))
            await settle()

            gate.set()
            calling.cancel()
            await asyncio.wait([calling])
            gate.clear()

        assert (await GenServer.call(pid, "ping"))[-1] == "ping"
        assert await nothing_came()


async def test_timeouts_leave_nothing_behind() -> None:
    async with process.attach() as me:
        pid = await Slow.start(asyncio.Event())
        before = process.info(me)

        for _ in range(50):
            with pytest.raises(CallTimeoutError):
                await GenServer.call(pid, "later", timeout=0.0001)

        after = process.info(me)
        assert after.message_queue_len == before.message_queue_len == 0
        assert len(after.monitors) == len(before.monitors)
        assert len(process.info(pid).monitored_by) == 0


async def test_server_whose_own_call_is_cancelled_by_its_death_harms_nobody(settle) -> None:
    gate = asyncio.Event()
    slow = await Slow.start(gate)

    class Front(GenServer):
        async def handle_call(self, request: object, from_: From) -> object:
            return await GenServer.call(slow, request)

    front = await Front.start()
    calling = asyncio.create_task(GenServer.call(front, "wait"))
    await settle()

    process.exit(front, "kill")
    await asyncio.wait([calling])
    gate.set()

    assert await GenServer.call(slow, "ping") == ["wait", "ping"]
