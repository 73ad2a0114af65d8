"""``Application``: a tree inside an asyncio program.

Source: Elixir ``Application``, ``start/2``, ``prep_stop/1``, ``stop/1``.
"""

import asyncio

import pytest

from beamish import Application, ExitError, GenServer, StartError, Stop, process

STEPS: list[str] = []


@pytest.fixture(autouse=True)
def _fresh() -> None:
    STEPS.clear()


class Worker(GenServer):
    def __init__(self, label: str) -> None:
        self.label = label
        STEPS.append(f"{label} starts")

    def init(self) -> Stop | None:
        return Stop("refused") if self.label == "refuses" else None

    def handle_cast(self, request: object) -> None:
        raise ValueError(request)

    def handle_call(self, request: object, from_: object) -> object:
        return request

    def terminate(self, reason: object) -> None:
        STEPS.append(f"{self.label} stops: {reason}")


class Shop(Application):
    labels = ("first", "second", "third")

    def children(self):
        return [Worker.child_spec(label, name=label) for label in self.labels]


class Hooked(Shop):
    def prep_stop(self) -> None:
        STEPS.append("prep_stop")

    def stop(self) -> None:
        STEPS.append("stop")


class Broken(Shop):
    labels = ("first", "second", "refuses", "never")


class OneForAll(Shop):
    strategy = "one_for_all"


async def crash_until_given_up(name: str) -> None:
    """Crash a child more often than its supervisor allows."""
    while True:
        GenServer.cast(name, "boom")
        await asyncio.sleep(0)


STARTED = ["first starts", "second starts", "third starts"]
STOPPED = ["third stops: shutdown", "second stops: shutdown", "first stops: shutdown"]


async def test_children_start_in_order_and_stop_in_reverse() -> None:
    async with Shop():
        assert STEPS == STARTED

    assert STEPS == STARTED + STOPPED


async def test_children_are_reachable_inside_the_block_and_gone_after_it() -> None:
    async with Shop():
        assert await GenServer.call("second", "hello") == "hello"

    assert [process.whereis(label) for label in Shop.labels] == [None] * 3


async def test_block_gets_the_application() -> None:
    application = Shop()

    async with application as running:
        assert running is application


async def test_application_attaches_the_task_by_itself() -> None:
    async with Shop():
        assert process.is_alive(process.current())

    with pytest.raises(LookupError):
        process.current()


async def test_application_works_inside_an_attached_task() -> None:
    async with process.attach() as me:
        async with Shop():
            assert process.current() == me

        assert process.is_alive(me)
        assert STEPS == STARTED + STOPPED


async def test_children_are_supervised() -> None:
    async with Shop():
        first = process.whereis("first")
        await GenServer.stop(first, "boom")

        while process.whereis("first") in (None, first):
            await asyncio.sleep(0)

        assert STEPS.count("first starts") == 2
        assert STEPS.count("second starts") == 1


async def test_strategy_of_the_class_counts() -> None:
    async with OneForAll():
        third = process.whereis("third")
        await GenServer.stop("first", "boom")

        while process.whereis("third") in (None, third):
            await asyncio.sleep(0)

        assert [STEPS.count(step) for step in STARTED] == [2, 2, 2]


async def test_hooks_run_before_and_after_the_children_stop() -> None:
    async with Hooked():
        pass

    assert [*STARTED, "prep_stop", *STOPPED, "stop"] == STEPS


async def test_async_hooks_are_awaited() -> None:
    class AsyncHooks(Shop):
        async def prep_stop(self) -> None:
            await asyncio.sleep(0)
            STEPS.append("prep_stop")

        async def stop(self) -> None:
            await asyncio.sleep(0)
            STEPS.append("stop")

    async with AsyncHooks():
        pass

    assert [*STARTED, "prep_stop", *STOPPED, "stop"] == STEPS


async def test_exception_in_the_block_stops_the_children_and_comes_out() -> None:
    problem = KeyError("in the block")

    with pytest.raises(KeyError) as caught:
        async with Shop():
            raise problem

    assert caught.value is problem
    assert STEPS == STARTED + STOPPED


async def test_cancelled_block_stops_the_children() -> None:
    async def work() -> None:
        async with Shop():
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    while process.whereis("third") is None:
        await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert STEPS == STARTED + STOPPED


async def test_failed_child_stops_those_before_it_and_raises() -> None:
    with pytest.raises(StartError, match="refuses"):
        async with Broken():
            pytest.fail("the block must not run")

    assert STEPS == [
        "first starts",
        "second starts",
        "refuses starts",
        "second stops: shutdown",
        "first stops: shutdown",
    ]


async def test_block_whose_tree_dies_is_cancelled_and_raises() -> None:
    with pytest.raises(ExitError) as caught:
        async with Shop():
            await crash_until_given_up("first")

    assert caught.value.reason == "shutdown"
    assert [process.whereis(label) for label in Shop.labels] == [None] * 3


async def test_task_goes_on_unharmed_after_its_tree_died() -> None:
    with pytest.raises(ExitError):
        async with Shop():
            await crash_until_given_up("first")

    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    async with Shop():
        assert await GenServer.call("first", "hello") == "hello"


async def test_application_can_run_again() -> None:
    for _ in range(3):
        async with Shop():
            pass

    assert (STARTED + STOPPED) * 3 == STEPS


async def test_two_applications_run_side_by_side() -> None:
    class Other(Shop):
        labels = ("fourth",)

    async with Shop(), Other():
        assert await GenServer.call("fourth", "hello") == "hello"
        assert await GenServer.call("first", "hello") == "hello"

    assert process.whereis("fourth") is None
    assert process.whereis("first") is None


async def test_application_without_children_runs() -> None:
    class Empty(Application):
        def children(self):
            return []

    async with Empty():
        pass


async def test_child_may_be_a_class() -> None:
    class Bare(GenServer):
        def init(self) -> None:
            process.register(self.pid, "bare")

    class Small(Application):
        def children(self):
            return [Bare]

    async with Small():
        assert process.whereis("bare") is not None

    assert process.whereis("bare") is None
