"""What once stayed in memory, and must not stay there again."""

import asyncio
import contextlib
import gc
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from beamish import (
    IGNORE,
    BeamishError,
    DynamicSupervisor,
    Fail,
    From,
    GenServer,
    NoReply,
    Supervisor,
    call,
    process,
)


async def test_cancelled_timers_take_no_memory() -> None:
    class Idle(GenServer):
        @call
        def touch(self) -> None:
            process.cancel_timer(process.send_after(self.pid, "idle", 60))

    pid = await Idle.start()
    await Idle.touch(pid)
    before = process.info(pid).memory_bytes

    for _ in range(1000):
        await Idle.touch(pid)

    assert process.info(pid).memory_bytes - before < 1000


def test_server_is_freed_after_its_loop_has_closed() -> None:
    class Waiting(GenServer):
        def init(self) -> None:
            process.send_after(self.pid, "later", 100)
            watches.append(weakref.ref(self))

    watches: list[weakref.ref[Waiting]] = []
    pid = asyncio.run(Waiting.start())

    async def another_loop() -> None:
        await GenServer.stop(await Waiting.start())

    asyncio.run(another_loop())
    gc.collect()

    assert watches[0]() is None
    assert not process.is_alive(pid)


class Later(GenServer):
    @call(timeout=0)
    def answer(self) -> NoReply:
        return NoReply()


class Ignored(GenServer):
    def init(self) -> Any:
        return IGNORE


class Refusing(GenServer):
    @call
    def refuse(self) -> Fail:
        return Fail(BeamishError())

    @call
    def refuse_caught(self) -> Fail:
        try:
            raise BeamishError
        except BeamishError as error:
            return Fail(error)

    @call
    def refuse_from(self, *, from_: From) -> Fail:
        return self.handle_call("caught before", from_)

    def handle_call(self, request: str, from_: From) -> Any:
        if request == "caught before":
            return self.refuse_caught()
        GenServer.reply(from_, Fail(BeamishError()))
        return NoReply()

    @call
    async def refuse_later(self) -> Fail:
        await asyncio.sleep(0)
        return Fail(BeamishError())


async def failing(how: str) -> Callable[[], Awaitable[object]]:
    """Prepare a request that fails in this way."""
    if how in ("dead", "timeout"):
        pid = await Later.start()
        if how == "dead":
            await GenServer.stop(pid)
        return lambda: Later.answer(pid)
    if "refused" in how:
        refusing = await Refusing.start(name=f"by name, {how}")
        match how:
            case "refused":
                return lambda: Refusing.refuse(refusing)
            case "refused, caught before":
                return lambda: Refusing.refuse_caught(refusing)
            case "refused by handle_call":
                return lambda: GenServer.call(refusing, "caught before")
            case "refused by reply":
                return lambda: GenServer.call(refusing, "reply")
            case "refused with from_":
                return lambda: Refusing.refuse_from(refusing)
            case "refused, caught before, in a queue":
                return lambda: asyncio.gather(
                    Refusing.refuse_later(refusing),
                    Refusing.refuse_caught(refusing),
                    return_exceptions=True,
                )
        return lambda: Refusing.refuse_later(refusing)
    if how == "no such id":
        static = await Supervisor.start_link([])
        return lambda: Supervisor.terminate_child(static, "x")
    sup = await DynamicSupervisor.start_link()
    if how == "ignored":
        return lambda: DynamicSupervisor.start_child(sup, Ignored.child_spec())
    return lambda: DynamicSupervisor.terminate_child(sup, process.current())


@pytest.mark.parametrize(
    "how",
    [
        "dead",
        "timeout",
        "ignored",
        "no such id",
        "no such pid",
        "refused",
        "refused, caught before",
        "refused later",
        "refused, caught before, in a queue",
        "refused by handle_call",
        "refused by reply",
        "refused with from_",
    ],
)
async def test_failed_request_leaves_no_cycles_to_the_collector(how: str) -> None:
    async with process.attach():
        request = await failing(how)
        gc.collect()
        gc.disable()
        try:
            for _ in range(20):
                with contextlib.suppress(BeamishError):
                    await request()
            assert gc.collect() <= 20
        finally:
            gc.enable()
