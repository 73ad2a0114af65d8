"""Tasks whose owners are servers: they wait in async callbacks, or get messages.

Sources: Elixir ``Task.await/2``, "Compatibility with OTP behaviours".
"""

import asyncio

import pytest

from beamish import (
    Down,
    Exit,
    ExitError,
    GenServer,
    NoProcessError,
    Task,
    call,
    process,
)


async def double(number: int, times: int = 2) -> int:
    await asyncio.sleep(0)
    return number * times


async def forever() -> None:
    await asyncio.Event().wait()


async def boom() -> None:
    raise ValueError("boom")


class Owner(GenServer, trap_exit=True):
    """Starts tasks, and takes their answers in either way."""

    def __init__(self) -> None:
        self.seen: list[object] = []
        self.task: Task[int] | None = None

    @call
    def begin(self, *numbers: int) -> list[Task[int]]:
        return [Task.async_(double, number) for number in numbers]

    @call
    def begin_to_fail(self) -> Task[None]:
        return Task.async_(boom)

    @call
    async def compute(self, *numbers: int) -> list[int]:
        tasks = self.begin(*numbers)
        for _ in range(20):  # so that answers are in the mailbox already
            await asyncio.sleep(0)
        return [await Task.await_(task) for task in tasks]

    @call
    async def compute_in_background(self, number: int) -> int:
        self.task = Task.async_(double, number)
        return await asyncio.create_task(Task.await_(self.task))

    @call
    def messages(self) -> list[object]:
        return self.seen

    def handle_info(self, message: object) -> None:
        self.seen.append(message)


async def test_server_gets_answers_in_handle_info(settle) -> None:
    owner = await Owner.start()

    [task] = await Owner.begin(owner, 4)
    await settle()

    assert await Owner.messages(owner) == [
        (task.ref, 8),
        Down(task.ref, task.pid, "normal"),
        Exit(task.pid, "normal"),
    ]


async def test_server_gets_the_failure_in_handle_info(settle) -> None:
    owner = await Owner.start()

    task = await Owner.begin_to_fail(owner)
    await settle()

    down, exited = await Owner.messages(owner)
    assert (down.ref, down.pid) == (task.ref, task.pid)
    assert isinstance(down.reason, ValueError)
    assert exited == Exit(task.pid, down.reason)


async def test_async_callback_of_a_server_may_await(settle) -> None:
    owner = await Owner.start()

    assert await Owner.compute(owner, 1, 2, 3) == [2, 4, 6]

    await settle()
    assert {type(message) for message in await Owner.messages(owner)} == {Exit}


async def test_background_task_of_a_server_may_await(settle) -> None:
    owner = await Owner.start()

    assert await Owner.compute_in_background(owner, 5) == 10

    await settle()
    assert {type(message) for message in await Owner.messages(owner)} == {Exit}


class Stages(GenServer):
    """Awaits a task at each end of its life."""

    def __init__(self, log: list[object]) -> None:
        self.log = log

    async def init(self) -> None:
        self.log.append(await Task.await_(Task.async_(double, 1)))

    async def terminate(self, reason: object) -> None:
        self.log.append(await Task.await_(Task.async_(double, 2)))


@pytest.mark.parametrize("how", ["stop", "parent"])
async def test_server_may_await_in_init_and_in_terminate(how: str) -> None:
    log: list[object] = []
    async with process.attach() as me:
        server = await Stages.start_link(log)
        process.unlink(server)
        ref = process.monitor(server)

        if how == "stop":
            await GenServer.stop(server)
        else:
            process.exit(server, "shutdown")

        assert (await process.receive(timeout=50)).ref is ref
        assert log == [2, 4]
        assert process.processes() == [me]


class Background(GenServer):
    @call
    def begin(self, log: list[object]) -> None:
        self.work = asyncio.create_task(self._await(log))

    async def _await(self, log: list[object]) -> None:
        try:
            await Task.await_(Task.async_(forever), timeout=None)
        except ExitError as error:
            log.append(error)


async def test_background_task_stops_waiting_when_its_server_is_dead(settle) -> None:
    log: list[object] = []
    server = await Background.start()
    await Background.begin(server, log)
    await settle()

    await GenServer.stop(server)
    await settle()

    [error] = log
    assert isinstance(error, NoProcessError)


class Linked(GenServer):
    @call
    async def compute(self) -> None:
        await Task.await_(Task.async_(boom))


async def test_server_that_does_not_trap_dies_with_its_task() -> None:
    owner = await Linked.start()

    with pytest.raises(ExitError) as failure:
        await Linked.compute(owner)

    assert isinstance(failure.value.__cause__, ValueError)
    assert not process.is_alive(owner)
