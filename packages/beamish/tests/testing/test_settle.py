"""`settle`: returns when nothing can go on by itself, on real and simulated event loops."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from beamish import DynamicSupervisor, GenServer, Pid, call, cast, process
from beamish.testing import settle, simulate

Main = Callable[[], Awaitable[None]]


def on_asyncio(main: Main) -> None:
    asyncio.run(main())  # type: ignore[arg-type]


def on_uvloop(main: Main) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())  # type: ignore[arg-type]


def simulated(main: Main) -> None:
    for seed in range(20):
        simulate(main, seed)


@pytest.fixture(params=[on_asyncio, on_uvloop, simulated])
def run(request: pytest.FixtureRequest) -> Callable[[Main], None]:
    return request.param


class Chain(GenServer):
    """Passes a number on to the next of its kind, after some steps of its own."""

    def __init__(self, successor: Pid | None = None) -> None:
        self.successor = successor
        self.got = 0

    @cast
    async def pass_on(self, number: int) -> None:
        self.got = number
        for _ in range(5):
            await asyncio.sleep(0)
        await asyncio.gather(*(asyncio.shield(asyncio.sleep(0)) for _ in range(3)))
        if self.successor is not None:
            Chain.pass_on(self.successor, number + 1)

    @call
    def read(self) -> int:
        return self.got

    @cast
    def crash(self) -> None:
        raise RuntimeError("boom")

    @cast
    async def hang(self) -> None:
        await asyncio.get_running_loop().create_future()


def test_waits_for_all_that_follows_from_a_message(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        last = pid = await Chain.start()
        for _ in range(20):
            pid = await Chain.start(pid)
        Chain.pass_on(pid, 1)
        await settle()
        assert process.info(last).messages_handled == 1  # type: ignore[union-attr]
        assert await Chain.read(last) == 21

    run(main)


def test_waits_for_restarts(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        async with process.attach():
            supervisor = await DynamicSupervisor.start_link()
            spec = Chain.child_spec(name="chain")
            pid = await DynamicSupervisor.start_child(supervisor, spec)
            Chain.crash(pid)
            await settle()
            assert process.whereis("chain") not in (None, pid)
            process.unlink(supervisor)
            await GenServer.stop(supervisor)

    run(main)


def test_waits_for_tasks_and_spawned_processes(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        done = []

        async def work(steps: int) -> None:
            for _ in range(steps):
                await asyncio.sleep(0)
            done.append(steps)

        task = asyncio.create_task(work(50))
        process.spawn(work, 70)
        await settle()
        assert sorted(done) == [50, 70]
        assert process.processes() == [] or task.done()

    run(main)


def test_does_not_wait_for_time_or_the_outside(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        pid = await Chain.start()
        process.send_after(pid, "late", 60.0)
        sleeping = asyncio.create_task(asyncio.sleep(60.0))
        Chain.hang(pid)
        Chain.pass_on(pid, 1)  # waits behind what hangs
        await settle()
        assert process.info(pid).message_queue_len == 1  # type: ignore[union-attr]
        sleeping.cancel()
        process.exit(pid, "kill")
        await settle()

    run(main)


def test_several_may_settle_at_once(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        pid = await Chain.start()
        Chain.pass_on(pid, 1)
        await asyncio.gather(settle(max_turns=200), asyncio.sleep(0))
        assert await Chain.read(pid) == 1

    run(main)


async def test_says_what_never_rests() -> None:
    async def spin() -> None:
        while True:
            await asyncio.sleep(0)

    pid = process.spawn(spin)

    with pytest.raises(TimeoutError, match="not settled after 50 turns") as caught:
        await settle(max_turns=50)

    assert f"spin {pid!r} is ready to run in" in str(caught.value)
    process.exit(pid, "kill")
    await settle()


async def test_refuses_a_wrong_limit() -> None:
    with pytest.raises(ValueError, match="max_turns"):
        await settle(max_turns=0)
