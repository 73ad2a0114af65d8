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
    call,
    cast,
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

        assert await process.receive(timeout=50) == "hello"
        thread.join()


async def test_callbacks_run_in_the_thread_of_the_loop() -> None:
    pid = await Counter.start()

    await asyncio.to_thread(from_thread.call, pid, "hello")
    await asyncio.to_thread(from_thread.cast, pid, "hello")

    assert await GenServer.call(pid, "threads") == {threading.get_ident()}


async def test_messages_of_one_thread_arrive_in_order() -> None:
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


# -- What is refused, and client functions


class Sums(GenServer):
    def __init__(self) -> None:
        self.total = 0

    @call
    def add(self, number: int, *, twice: bool = False) -> int:
        self.total += number * (2 if twice else 1)
        return self.total

    @call(timeout=0.001)
    async def wait(self, gate: asyncio.Event) -> str:
        await gate.wait()
        return "waited"

    @cast
    def reset(self, to: int, *, plus: int = 0) -> None:
        self.total = to + plus


async def test_call_in_the_loops_own_thread_is_refused() -> None:
    """It would block the loop that is to answer it."""
    pid = await Sums.start()

    with pytest.raises(RuntimeError, match=r"await GenServer\.call"):
        from_thread.call(pid, "hello")
    with pytest.raises(RuntimeError, match=r"await GenServer\.call"):
        from_thread.call(pid, Sums.add, 1)

    assert await Sums.add(pid, 2) == 2


async def test_thread_may_use_client_functions() -> None:
    pid = await Sums.start()

    def work() -> tuple[int, int]:
        first = from_thread.call(pid, Sums.add, 3, twice=True)
        from_thread.cast(pid, Sums.reset, 100, plus=1)
        return first, from_thread.call(pid, Sums.add, 1)

    assert await asyncio.to_thread(work) == (6, 102)


async def test_time_limit_of_the_thread_counts_not_that_of_the_method() -> None:
    pid, gate = await Sums.start(), asyncio.Event()
    calling = asyncio.create_task(
        asyncio.to_thread(from_thread.call, pid, Sums.wait, gate, timeout=None)
    )
    while process.info(pid).current_callback != "wait":
        await asyncio.sleep(0)
    for _ in range(3):  # longer than the limit of the method
        await asyncio.sleep(0.001)

    gate.set()

    assert await calling == "waited"


async def test_wrong_arguments_of_a_client_function_are_a_type_error() -> None:
    pid = await Sums.start()

    with pytest.raises(TypeError, match="number"):
        await asyncio.to_thread(from_thread.call, pid, Sums.add)

    assert await Sums.add(pid, 1) == 1


@pytest.mark.parametrize("function", [from_thread.call, from_thread.cast])
@pytest.mark.parametrize(("args", "kwargs"), [((1,), {}), ((), {"twice": True})])
async def test_further_arguments_without_a_client_function_are_refused(
    function, args, kwargs
) -> None:
    pid = await Counter.start()

    with pytest.raises(TypeError, match="further arguments are for client functions"):
        await asyncio.to_thread(lambda: function(pid, "request", *args, **kwargs))

    assert await GenServer.call(pid, "seen") == []


@pytest.mark.parametrize("function", [from_thread.call, from_thread.cast, from_thread.send])
@pytest.mark.parametrize("dest", ["name", None, 42])
def test_only_a_pid_is_accepted(function, dest: object) -> None:
    """A name is valid in one event loop only, and another thread has none."""
    with pytest.raises(TypeError, match="takes the Pid of a process"):
        function(dest, "hello")


class EndingLoop:
    """An event loop in a thread, with a server that never answers."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.pid = asyncio.run_coroutine_threadsafe(Counter.start(), self.loop).result(10)

    def end(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        for task in asyncio.all_tasks(self.loop):
            task._log_destroy_pending = False  # it ends in the middle on purpose
        self.loop.close()


@pytest.mark.parametrize("timeout", [None, 60.0])
def test_call_is_told_when_the_loop_ends_before_the_reply(timeout: float | None) -> None:
    other = EndingLoop()
    with ThreadPoolExecutor(1) as pool:
        calling = pool.submit(from_thread.call, other.pid, "never", timeout=timeout)
        while "never" not in from_thread.call(other.pid, "seen"):
            pass
        other.end()

        with pytest.raises(NoProcessError, match="its event loop is closed"):
            calling.result(10)


def test_thread_with_a_loop_of_its_own_may_call_a_server_of_another_loop() -> None:
    other = EndingLoop()

    async def main() -> object:
        return await asyncio.to_thread(from_thread.call, other.pid, "hello")

    assert asyncio.run(main()) == "hello"
    other.end()
