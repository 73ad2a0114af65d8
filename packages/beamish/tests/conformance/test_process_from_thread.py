"""``from_thread``: reaching processes from other threads."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from beamish import (
    CallTimeoutError,
    ExitError,
    From,
    GenServer,
    NoProcessError,
    NoReply,
    Pid,
    from_thread,
    process,
)


class Counter(GenServer):
    def __init__(self) -> None:
        self.seen: list[object] = []
        self.threads: set[int] = set()

    def note(self, item: object) -> None:
        self.seen.append(item)
        self.threads.add(threading.get_ident())

    def handle_call(self, request: object, from_: From) -> object:
        self.note(request)
        match request:
            case "crash":
                raise ValueError("boom")
            case "never":
                return NoReply()
            case "seen":
                return self.seen[:-1]
            case "threads":
                return self.threads
        return request

    def handle_cast(self, request: object) -> None:
        self.note(request)

    def handle_info(self, message: object) -> None:
        self.note(message)


async def test_thread_gets_the_reply_of_its_call() -> None:
    pid = await Counter.start()

    assert await asyncio.to_thread(from_thread.call, pid, "hello") == "hello"


async def test_thread_can_cast_and_send() -> None:
    pid = await Counter.start()

    def work() -> tuple[None, None]:
        return from_thread.cast(pid, "cast"), from_thread.send(pid, "sent")

    assert await asyncio.to_thread(work) == (None, None)
    assert await GenServer.call(pid, "seen") == ["cast", "sent"]


async def test_thread_can_send_to_an_attached_task() -> None:
    async with process.attach() as me:
        thread = threading.Thread(target=from_thread.send, args=(me, "hello"))
        thread.start()

        assert await process.receive(timeout=5) == "hello"
        thread.join()


async def test_callbacks_run_in_the_thread_of_the_loop() -> None:
    pid = await Counter.start()

    await asyncio.to_thread(from_thread.call, pid, "hello")
    await asyncio.to_thread(from_thread.cast, pid, "hello")

    assert await GenServer.call(pid, "threads") == {threading.get_ident()}


async def test_what_one_thread_sends_arrives_in_order() -> None:
    pid = await Counter.start()

    def work() -> object:
        for number in range(0, 1000, 2):
            from_thread.cast(pid, number)
            from_thread.send(pid, number + 1)
        return from_thread.call(pid, "seen")

    assert await asyncio.to_thread(work) == list(range(1000))


async def test_many_threads_at_once_lose_nothing() -> None:
    pid = await Counter.start()

    def work(number: int) -> object:
        return [from_thread.call(pid, (number, step)) for step in range(50)]

    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(8) as pool:
        answers = await asyncio.gather(
            *(loop.run_in_executor(pool, work, number) for number in range(8))
        )

    assert answers == [[(number, step) for step in range(50)] for number in range(8)]
    assert len(await GenServer.call(pid, "seen")) == 400


async def test_thread_gets_the_crash_of_the_server_it_called() -> None:
    pid = await Counter.start()

    with pytest.raises(ExitError) as caught:
        await asyncio.to_thread(from_thread.call, pid, "crash")

    assert isinstance(caught.value.reason, ValueError)
    assert caught.value.__cause__ is caught.value.reason


async def test_call_from_a_thread_times_out_and_leaves_the_server_unharmed() -> None:
    pid = await Counter.start()

    with pytest.raises(CallTimeoutError):
        await asyncio.to_thread(from_thread.call, pid, "never", timeout=0.01)

    assert await asyncio.to_thread(from_thread.call, pid, "hello") == "hello"


async def test_call_to_a_dead_server_is_noproc() -> None:
    pid = await Counter.start()
    await GenServer.stop(pid)

    with pytest.raises(NoProcessError):
        await asyncio.to_thread(from_thread.call, pid, "hello")


async def test_cast_and_send_to_a_dead_server_are_silent() -> None:
    pid = await Counter.start()
    await GenServer.stop(pid)

    await asyncio.to_thread(from_thread.cast, pid, "hello")
    await asyncio.to_thread(from_thread.send, pid, "hello")
    await asyncio.sleep(0)


def test_pid_knows_its_loop_also_when_that_is_over() -> None:
    async def main() -> Pid:
        return await Counter.start()

    pid = asyncio.run(main())

    from_thread.cast(pid, "hello")
    from_thread.send(pid, "hello")
    with pytest.raises(NoProcessError):
        from_thread.call(pid, "hello")


async def test_waiting_thread_is_told_when_the_server_dies() -> None:
    pid = await Counter.start()
    calling = asyncio.create_task(asyncio.to_thread(from_thread.call, pid, "never", timeout=None))
    while "never" not in await GenServer.call(pid, "seen"):
        await asyncio.sleep(0)

    process.exit(pid, "boom")

    with pytest.raises(ExitError) as caught:
        await calling
    assert caught.value.reason == "boom"
