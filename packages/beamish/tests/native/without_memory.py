"""Let each allocation of a call, a cast, a turn and a look-up fail; check what is left.

A program, because a fault of the core ends the interpreter: ``python without_memory.py``.
"""

import _testcapi
import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from beamish import ExitError, From, GenServer, NoProcessError, Pid, Registry, call, process
from beamish._native import core
from beamish._runtime.runtime import running
from beamish.testing import settle

MAX_ALLOCATIONS = 400  # more than any of the operations needs


class Counter(GenServer):
    def __init__(self) -> None:
        self.count = 0

    def handle_call(self, request: Any, from_: From) -> Any:
        return self.count

    @call
    def read(self, *, from_: From) -> Any:
        return self.count

    @call
    def read_plain(self) -> Any:
        return self.count

    def handle_cast(self, request: Any) -> None:
        self.count += request


async def fail_each(
    operate: Callable[[Pid], Coroutine[Any, Any, None]], check: Callable[[Pid, bool], Any]
) -> int:
    """Run an operation on an idle server as often as it has allocations; return the failures."""
    failures = unharmed = 0
    pid = await Counter.start()
    for number in range(1, MAX_ALLOCATIONS):
        if pid._process is None:
            pid = await Counter.start()
        runtime = running()
        runtime.budget = 1_000
        pid._process.handled = 1_000  # beyond the small ints, which need no memory
        failed = False
        _testcapi.set_nomemory(number, number + 1)
        try:
            await operate(pid)
        except (MemoryError, ExitError, NoProcessError):  # the latter two: in the callback
            failed = True
        finally:
            _testcapi.remove_mem_hooks()
        failures += failed
        unharmed = 0 if failed else unharmed + 1
        await settle()
        await check(pid, failed)
        if unharmed > 50:
            break
    return failures


async def check_answers(pid: Pid, failed: bool) -> None:
    """A server that lives still answers, on its caller's stack and in a turn."""
    server = pid._process
    if server is None:
        return
    assert server.callback is None, server.callback
    assert server.direct, "not idle"
    assert server.mailbox is None
    before = await Counter.read_plain(pid)
    GenServer.cast(pid, 1)
    assert await GenServer.call(pid, "read", 30) == before + 1


async def main() -> None:
    assert core is not None
    logging.getLogger("beamish").setLevel(logging.CRITICAL + 1)
    await Registry.start(keys="unique", name="registry")
    entries = Registry.lookup

    async def look_up(pid: Pid) -> None:
        found, other = entries("registry", ("key", 1)), Registry.whereis("registry", ("key", 1))
        assert found == [(me, 7)]
        assert other is me

    async def cast(pid: Pid) -> None:
        GenServer.cast(pid, 0)
        GenServer.cast(pid, 0)

    async def cast_and_turn(pid: Pid) -> None:
        server = pid._process
        before = server.server.count
        try:
            for _ in range(3):
                GenServer.cast(pid, 1_000_000)
        finally:
            queued = server.queue_length()
            running()._run_queue.clear()  # the turn must see to the next one itself
            try:
                server.turn()
            finally:
                if pid._process is not None and server.direct:
                    assert server.server.count == before + queued * 1_000_000

    async with process.attach() as me:
        Registry.register("registry", ("key", 1), 7)
        for name, operate in {
            "call": lambda pid: GenServer.call(pid, "read"),
            "call with from_": Counter.read,
            "plain call": Counter.read_plain,
            "cast": cast,
            "turn": cast_and_turn,
            "look-up": look_up,
        }.items():
            print(name, await fail_each(operate, check_answers))


asyncio.run(main())
