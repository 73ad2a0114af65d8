"""A dead pid keeps nothing of its process alive in memory."""

import asyncio
import gc
import logging
import weakref

import pytest

from beamish import CallTimeoutError, ExitError, From, GenServer, NoReply, Pid, process


class Thing:
    """Something a process holds."""


class Holder(GenServer):
    def __init__(self, thing: Thing) -> None:
        self.thing = thing

    async def handle_call(self, request: object, from_: From) -> object:
        local = self.thing
        if request == "crash":
            raise ValueError(request)
        if request == "later":
            return NoReply()
        if request == "answer":
            await asyncio.sleep(0)
            return "answer"
        await asyncio.Event().wait()
        return local


@pytest.fixture(autouse=True)
def _no_records_kept() -> None:
    """A log record of a crash holds its traceback, and pytest holds the record."""
    logger = logging.getLogger("beamish")
    logger.disabled = True
    yield
    logger.disabled = False


async def end(pid: Pid, how: str) -> None:
    """End the process in one of the ways a process dies, and wait for it."""
    match how:
        case "stop":
            await GenServer.stop(pid)
        case "answered call":
            assert await GenServer.call(pid, "answer", timeout=60) == "answer"
            await GenServer.stop(pid)
        case "timed out call":
            with pytest.raises(CallTimeoutError):
                await GenServer.call(pid, "later", timeout=0.001)
            await GenServer.stop(pid)
        case "crash" | "suspended":
            calling = asyncio.create_task(GenServer.call(pid, how))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            if how == "suspended":
                process.exit(pid, "boom")
            with pytest.raises(ExitError):
                await calling
        case _:
            process.exit(pid, how)
            while process.is_alive(pid):
                await asyncio.sleep(0)


@pytest.mark.parametrize(
    "how", ["stop", "answered call", "timed out call", "crash", "suspended", "boom", "kill"]
)
async def test_state_of_a_dead_server_is_freed(how: str) -> None:
    thing = Thing()
    watch = weakref.ref(thing)
    pid = await Holder.start(thing, name="holder")
    del thing

    await end(pid, how)
    await asyncio.sleep(0)
    gc.collect()

    assert watch() is None
    assert not process.is_alive(pid)


async def test_messages_of_a_dead_server_are_freed() -> None:
    pid = await Holder.start(Thing())
    calling = asyncio.create_task(GenServer.call(pid, "suspended"))
    await asyncio.sleep(0)
    message = Thing()
    watch = weakref.ref(message)
    process.send(pid, message)
    GenServer.cast(pid, message)
    process.send_after(pid, message, 60)
    del message

    process.exit(pid, "kill")
    with pytest.raises(ExitError):
        await calling
    del calling
    gc.collect()

    assert watch() is None


async def test_arguments_and_result_of_a_spawned_process_are_freed() -> None:
    async def work(thing: Thing) -> Thing:
        return thing

    thing = Thing()
    watch = weakref.ref(thing)
    pid = process.spawn(work, thing)
    del thing

    while process.is_alive(pid):
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    gc.collect()

    assert watch() is None


async def test_links_and_monitors_of_the_living_do_not_hold_the_dead() -> None:
    async with process.attach():
        thing = Thing()
        watch = weakref.ref(thing)
        pid = await Holder.start_link(thing)
        ref = process.monitor(pid)
        timer = process.send_after(pid, "ring", 60)
        del thing

        await GenServer.stop(pid)
        await process.receive(timeout=50)
        gc.collect()

        assert watch() is None
        assert (pid, ref, timer) is not None


async def test_abandoned_call_does_not_hold_the_answer() -> None:
    owed: list[From] = []

    class Debtor(GenServer):
        def handle_call(self, request: object, from_: From) -> object:
            owed.append(from_)
            return NoReply()

    pid = await Debtor.start()
    with pytest.raises(CallTimeoutError):
        await GenServer.call(pid, "please", timeout=0.001)
    answer = Thing()
    watch = weakref.ref(answer)

    GenServer.reply(owed[0], answer)
    del answer
    await asyncio.sleep(0)
    gc.collect()

    assert watch() is None


async def test_thousand_starts_and_stops_leave_no_processes() -> None:
    before = len(list(process.processes()))

    for _ in range(1000):
        await GenServer.stop(await Holder.start(Thing()))

    assert len(list(process.processes())) == before


async def test_runtimes_of_finished_loops_do_not_pile_up() -> None:
    """One runtime per event loop; that of a closed loop is gone when the next one starts."""
    watches: list[weakref.ref[Thing]] = []

    def run_a_loop() -> None:
        async def main() -> None:
            thing = Thing()
            watches.append(weakref.ref(thing))
            await Holder.start(thing)

        asyncio.run(main())

    for _ in range(3):
        await asyncio.to_thread(run_a_loop)
    gc.collect()

    assert [watch() for watch in watches[:2]] == [None] * 2
