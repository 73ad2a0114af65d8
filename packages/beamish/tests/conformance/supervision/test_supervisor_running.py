"""``async with Supervisor.running(...)``: a tree for the length of a block."""

import asyncio

import pytest

from beamish import ExitError, NoProcessError, Pid, StartError, Supervisor, process

from .support import (
    PATIENCE,
    CrashError,
    Scripted,
    SlowToStop,
    Stopped,
    Worker,
    children,
    mailbox,
    pids,
    specs,
)


def test_needs_no_process_around_it() -> None:
    """It attaches the current task by itself."""

    async def main() -> None:
        with pytest.raises(NoProcessError):
            process.current()
        async with Supervisor.running([Worker.child_spec("tag", name="worker")]) as sup:
            assert process.is_alive(process.current())
            assert sup in process.info(process.current()).links
            assert await Worker.ping("worker") == "tag"
        assert process.whereis("worker") is None
        assert list(process.processes()) == []

    asyncio.run(asyncio.wait_for(main(), PATIENCE))


async def test_uses_the_process_that_is_there() -> None:
    me = process.current()

    async with Supervisor.running([]) as sup:
        assert process.current() == me
        assert process.info(sup).parent == me

    assert process.current() == me


async def test_stops_in_reverse_order_at_the_end_of_the_block(worker: type[Worker]) -> None:
    async with Supervisor.running(specs("abc", worker)) as sup:
        before = await pids(sup, *"abc")
        await mailbox()

    assert await mailbox() == [Stopped(tag, "shutdown") for tag in "cba"]
    assert [process.is_alive(pid) for pid in [sup, *before]] == [False] * 4


async def test_takes_the_supervisors_options() -> None:
    async with Supervisor.running(
        specs("ab"),
        strategy="one_for_all",
        max_restarts=10,
        max_seconds=1.0,
        auto_shutdown="never",
        name="sup",
    ) as sup:
        before = await pids(sup, "a", "b")
        process.exit(before[0], "kill")
        await mailbox()
        assert not set(await pids("sup", "a", "b")) & set(before)


async def test_waits_for_slow_children() -> None:
    gate = asyncio.Event()
    slow = SlowToStop.child_spec("slow", process.current(), gate).replace(shutdown=None)

    async with Supervisor.running([slow], name="sup"):
        asyncio.get_running_loop().call_later(0.01, gate.set)

    assert gate.is_set()
    assert process.whereis("sup") is None


async def test_exception_in_the_block_stops_the_tree_and_goes_on() -> None:
    with pytest.raises(CrashError, match="in the block"):
        async with Supervisor.running(specs("ab")):
            await mailbox()
            raise CrashError("in the block")

    assert [event.tag for event in await mailbox()] == ["b", "a"]


async def test_cancelled_block_stops_the_tree() -> None:
    me = process.current()
    inside = asyncio.Event()

    async def main() -> None:
        async with Supervisor.running([Worker.child_spec("a", me)]):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(main())
    await inside.wait()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert [type(event) for event in await mailbox()][-1] is Stopped


def test_failed_start_raises_and_leaves_nothing() -> None:
    async def main() -> None:
        children = [
            Worker.child_spec(name="good"),
            Scripted.child_spec("bad", None, ["raise"]),
        ]
        with pytest.raises(StartError):
            async with Supervisor.running(children):
                pytest.fail("the block must not run")
        assert process.whereis("good") is None
        assert list(process.processes()) == []

    asyncio.run(asyncio.wait_for(main(), PATIENCE))


def test_tree_that_gives_up_ends_the_block() -> None:
    """The attached block is linked to the tree: its exit is raised out of the block."""

    async def main() -> None:
        with pytest.raises(ExitError) as caught:
            async with Supervisor.running([Worker.child_spec(name="w")], max_restarts=0):
                Worker.crash_later("w")
                await asyncio.Event().wait()
        assert caught.value.reason == "shutdown"
        assert list(process.processes()) == []

    asyncio.run(asyncio.wait_for(main(), PATIENCE))


async def test_stopping_the_tree_in_the_block_is_fine() -> None:
    async with Supervisor.running(specs("a")) as sup:
        await Supervisor.stop(sup)

    assert not process.is_alive(sup)


async def test_blocks_nest() -> None:
    async with Supervisor.running(specs("a")) as outer:
        async with Supervisor.running(specs("b")) as inner:
            assert set(await children(inner)) == {"b"}
        assert not process.is_alive(inner)
        assert set(await children(outer)) == {"a"}


async def test_gives_the_supervisors_pid() -> None:
    async with Supervisor.running([], name="sup") as sup:
        assert isinstance(sup, Pid)
        assert process.whereis("sup") == sup
