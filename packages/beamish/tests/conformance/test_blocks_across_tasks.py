"""Blocks that are entered in one task and left in another, as fixtures and frameworks do."""

import asyncio
import contextlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

import pytest

from beamish import Application, ExitError, GenServer, NoProcessError, Pid, Supervisor, process

Block = Callable[[], AbstractAsyncContextManager[Any]]


class Server(GenServer):
    stopped: ClassVar[list[object]] = []

    def terminate(self, reason: object) -> None:
        self.stopped.append(reason)


class App(Application):
    name = "top"
    hooks: list[Pid]

    def children(self) -> list[Any]:
        self.hooks = []
        return [Server.child_spec(name="server")]

    async def prep_stop(self) -> None:
        self.hooks.append(process.current())

    async def stop(self) -> None:
        self.hooks.append(process.current())


def running() -> AbstractAsyncContextManager[Pid]:
    return Supervisor.running([Server.child_spec(name="server")], name="top")


BLOCKS: list[Block] = [App, running]


@pytest.fixture(autouse=True)
def _forget() -> None:
    Server.stopped = []


async def enter(block: AbstractAsyncContextManager[Any]) -> None:
    await block.__aenter__()


async def enter_and_live_on(
    block: AbstractAsyncContextManager[Any], entered: asyncio.Event, leave: asyncio.Event
) -> str:
    await block.__aenter__()
    entered.set()
    await leave.wait()
    return "lives on"


@pytest.mark.parametrize("make", BLOCKS)
async def test_block_entered_by_a_task_that_has_ended_is_left_in_order(make: Block) -> None:
    before = set(process.processes())
    block = make()
    await asyncio.create_task(enter(block))
    assert process.whereis("server") is not None

    assert not await block.__aexit__(None, None, None)

    assert Server.stopped == ["shutdown"]
    assert set(process.processes()) == before
    with pytest.raises(NoProcessError):
        process.current()


@pytest.mark.parametrize("make", BLOCKS)
async def test_block_left_elsewhere_spares_the_task_that_entered_it(make: Block) -> None:
    before = set(process.processes())
    block, entered, leave = make(), asyncio.Event(), asyncio.Event()
    entering = asyncio.create_task(enter_and_live_on(block, entered, leave))
    await entered.wait()

    await block.__aexit__(None, None, None)
    leave.set()

    assert await entering == "lives on"
    assert set(process.processes()) == before


@pytest.mark.parametrize("make", BLOCKS)
async def test_block_whose_tree_has_died_raises_where_it_is_left(make: Block) -> None:
    before = set(process.processes())
    block = make()
    await asyncio.create_task(enter(block))
    top = process.whereis("top")
    assert top is not None
    process.exit(top, "kill")
    while process.is_alive(top):
        await asyncio.sleep(0)

    with pytest.raises(ExitError) as caught:
        await block.__aexit__(None, None, None)

    assert caught.value.reason == "killed"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    assert set(process.processes()) == before


@pytest.mark.parametrize("make", BLOCKS)
async def test_tree_that_dies_cancels_the_task_that_entered_the_block(make: Block) -> None:
    block, entered = make(), asyncio.Event()
    entering = asyncio.create_task(enter_and_live_on(block, entered, asyncio.Event()))
    await entered.wait()
    top = process.whereis("top")
    assert top is not None

    process.exit(top, "kill")
    (outcome,) = await asyncio.gather(entering, return_exceptions=True)

    assert isinstance(outcome, asyncio.CancelledError)
    with pytest.raises(ExitError):
        await block.__aexit__(None, None, None)


@pytest.mark.parametrize("make", BLOCKS)
async def test_cancellation_stays_with_the_task_that_entered_the_block(make: Block) -> None:
    """The task handles it and lives on; the task that leaves the block must not take it back."""
    block, entered, end = make(), asyncio.Event(), asyncio.Event()

    async def enter_and_handle() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await enter_and_live_on(block, entered, asyncio.Event())
        await end.wait()

    entering = asyncio.create_task(enter_and_handle())
    await entered.wait()
    top = process.whereis("top")
    assert top is not None
    process.exit(top, "kill")
    for _ in range(10):
        await asyncio.sleep(0)

    with pytest.raises(ExitError):
        await block.__aexit__(None, None, None)

    assert entering.cancelling() == 1
    end.set()
    await entering


async def test_hooks_run_as_the_same_process_in_the_leaving_task() -> None:
    app = App()
    seen: list[Pid] = []

    async def enter_app() -> None:
        await app.__aenter__()
        seen.append(process.current())

    await asyncio.create_task(enter_app())
    await app.__aexit__(None, None, None)

    assert app.hooks == seen * 2


@pytest.mark.parametrize("make", BLOCKS)
async def test_block_may_be_left_in_a_task_that_is_a_process_itself(make: Block) -> None:
    block = make()
    await asyncio.create_task(enter(block))

    async with process.attach() as me:
        await block.__aexit__(None, None, None)

        assert process.current() is me
        assert process.is_alive(me)


async def test_attached_block_left_in_another_task_ends_its_process() -> None:
    block = process.attach()
    pids: list[Pid] = []

    async def attach() -> None:
        pids.append(await block.__aenter__())

    await asyncio.create_task(attach())
    (pid,) = pids
    assert process.is_alive(pid)

    await block.__aexit__(None, None, None)

    assert not process.is_alive(pid)
