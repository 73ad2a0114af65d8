"""``process.current()``: who runs here."""

import asyncio
import contextlib

import pytest

from beamish import Continue, GenServer, NoProcessError, Pid, call, cast, process


class Where(GenServer):
    """Records, for each callback, which process ran it."""

    def __init__(self, watcher: Pid | None = None) -> None:
        self.watcher = watcher
        self.seen = {"__init__": process.current()}

    def init(self) -> Continue:
        self.seen["init"] = process.current()
        return Continue("go")

    def handle_continue(self, arg: object) -> None:
        self.seen["handle_continue"] = process.current()

    def handle_call(self, request: object, from_: object) -> Pid:
        return process.current()

    async def handle_cast(self, request: object) -> None:
        await asyncio.sleep(0)
        self.seen["handle_cast"] = process.current()

    def handle_info(self, message: object) -> None:
        self.seen["handle_info"] = process.current()

    def terminate(self, reason: object) -> None:
        if self.watcher is not None:
            process.send(self.watcher, ("terminate", process.current()))

    @call
    def sync(self) -> Pid:
        return process.current()

    @call
    async def suspended(self) -> tuple[Pid, Pid]:
        before = process.current()
        await asyncio.sleep(0)
        return before, process.current()

    @call
    async def ask(self, other: Pid) -> tuple[Pid, Pid]:
        theirs = await Where.sync(other)
        return theirs, process.current()

    @call
    def sync_task(self) -> None:
        self.task = asyncio.create_task(self.tell())

    @call
    async def async_task(self) -> None:
        await asyncio.sleep(0)
        self.task = asyncio.create_task(self.tell())

    @call
    def fail(self) -> None:
        raise ValueError("no")

    @cast
    def note(self) -> None:
        self.seen["cast"] = process.current()

    @call
    def report(self) -> dict[str, Pid]:
        return dict(self.seen)

    async def tell(self) -> None:
        await asyncio.sleep(0)
        process.send(self.watcher, process.current())


async def test_there_is_no_current_process_outside_any() -> None:
    with pytest.raises(NoProcessError):
        process.current()


async def test_attached_task_is_the_process_attach_gave() -> None:
    async with process.attach() as me:
        assert process.current() == me


async def test_after_the_attached_block_there_is_no_current_process() -> None:
    async with process.attach():
        pass

    with pytest.raises(NoProcessError):
        process.current()


async def test_spawned_function_is_its_own_process() -> None:
    async with process.attach() as me:

        async def tell() -> None:
            process.send(me, process.current())

        pid = process.spawn(tell)

        assert await process.receive(timeout=50) == pid


async def test_task_of_a_spawned_function_belongs_to_it() -> None:
    async with process.attach() as me:

        async def current() -> Pid:
            return process.current()

        async def tell() -> None:
            process.send(me, await asyncio.create_task(current()))

        pid = process.spawn(tell)

        assert await process.receive(timeout=50) == pid


@pytest.mark.parametrize("callback", ["__init__", "init", "handle_continue"])
async def test_start_callbacks_run_as_the_new_process(callback: str) -> None:
    async with process.attach():
        pid = await Where.start_link()

        seen = await Where.report(pid)

        assert seen[callback] == pid


async def test_message_callbacks_run_as_the_server() -> None:
    async with process.attach():
        pid = await Where.start_link()

        process.send(pid, "message")
        GenServer.cast(pid, "request")
        Where.note(pid)

        seen = await Where.report(pid)
        assert [seen[name] for name in ("handle_info", "handle_cast", "cast")] == [pid] * 3


async def test_call_callbacks_run_as_the_server() -> None:
    async with process.attach():
        pid = await Where.start_link()

        assert await Where.sync(pid) == pid
        assert await GenServer.call(pid, "anything") == pid
        assert await Where.suspended(pid) == (pid, pid)


async def test_terminate_runs_as_the_server() -> None:
    async with process.attach() as me:
        pid = await Where.start_link(me)

        await GenServer.stop(pid)

        assert await process.receive(timeout=50) == ("terminate", pid)


@pytest.mark.parametrize("method", ["sync", "suspended", "report"])
async def test_caller_is_itself_again_after_a_call(method: str) -> None:
    async with process.attach() as me:
        pid = await Where.start_link()

        await getattr(Where, method)(pid)

        assert process.current() == me


async def test_caller_is_itself_again_after_a_call_that_crashed() -> None:
    async with process.attach() as me:
        pid = await Where.start()

        with pytest.raises(Exception, match="no"):
            await Where.fail(pid)

        assert process.current() == me


async def test_caller_without_process_has_none_after_a_call() -> None:
    pid = await Where.start()

    await Where.sync(pid)

    with pytest.raises(NoProcessError):
        process.current()


async def test_server_that_calls_another_is_itself_again_afterwards() -> None:
    first, second = await Where.start(), await Where.start()

    assert await Where.ask(first, second) == (second, first)


async def test_suspended_callbacks_do_not_mix() -> None:
    pids = [await Where.start() for _ in range(10)]

    answers = await asyncio.gather(*(Where.suspended(pid) for pid in pids))

    assert answers == [(pid, pid) for pid in pids]


@pytest.mark.parametrize("method", ["sync_task", "async_task"])
async def test_task_created_in_a_callback_belongs_to_the_server(method: str) -> None:
    async with process.attach() as me:
        pid = await Where.start_link(me)

        await getattr(Where, method)(pid)

        assert await process.receive(timeout=50) == pid


async def test_task_created_after_a_call_belongs_to_the_caller() -> None:
    async with process.attach() as me:
        pid = await Where.start_link()

        async def current() -> Pid:
            return process.current()

        await Where.sync(pid)

        assert await asyncio.create_task(current()) == me


async def test_plain_task_beside_a_server_is_in_no_process() -> None:
    found: list[object] = []

    async def look() -> None:
        for _ in range(20):
            with contextlib.suppress(NoProcessError):
                found.append(process.current())
            await asyncio.sleep(0)

    looking = asyncio.create_task(look())
    pid = await Where.start()
    for _ in range(10):
        await Where.suspended(pid)

    await looking
    assert found == []
