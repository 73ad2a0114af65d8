"""Repeat every path of the core; fail if the memory in use grows: ``python leaks.py ROUNDS``.

A debug build of CPython also counts references: one too many to an object that exists anyway, such
as a class or ``None``, takes no memory.
"""

import asyncio
import gc
import logging
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from beamish import (
    Continue,
    ExitError,
    Fail,
    From,
    GenServer,
    NoProcessError,
    NoReply,
    Pid,
    Registry,
    Stop,
    Via,
    call,
    cast,
    process,
)
from beamish._native import core
from beamish._runtime.runtime import running
from beamish.testing import settle

WARM_UP = 3
# Blocks or references that CPython itself can still keep, such as those of its free lists. A leak
# of one in each operation is a hundred times as many.
MAX_GROWN = 25
OPERATIONS = 100
COUNTERS: dict[str, Callable[[], int]] = {"blocks": sys.getallocatedblocks}
if hasattr(sys, "gettotalrefcount"):
    COUNTERS["references"] = sys.gettotalrefcount

Work = Callable[[Pid], Coroutine[Any, Any, None]]


class Server(GenServer):
    """A server whose callbacks end in every way that leaves it alive, or not."""

    def handle_call(self, request: Any, from_: From) -> Any:
        match request:
            case "later":
                GenServer.cast(self.pid, from_)
                return NoReply()
            case "fail":
                return Fail(ValueError("refused"))
            case "raise":
                raise RuntimeError("crash")
            case "stop":
                return Stop("normal", reply=object())
            case "cast":
                GenServer.cast(self.pid, object())
        return object()

    @call
    def plain(self, *values: object, key: object = None, **more: object) -> object:
        return values, key, more

    @call
    async def waits(self) -> object:
        await asyncio.sleep(0)
        return object()

    @call
    def with_from(self, value: object, *, key: object = None, from_: From) -> object:
        return value

    @cast
    def note(self, *values: object, key: object = None) -> Any:
        return Continue(object()) if key else None

    def handle_cast(self, request: Any) -> Any:
        if isinstance(request, From):
            GenServer.reply(request, object())
        elif request == "raise":
            raise RuntimeError("crash")

    def handle_continue(self, arg: Any) -> None: ...


async def calls(pid: Pid) -> None:
    await GenServer.call(pid, object())
    await Server.plain(pid, *range(1000, 1012), key=object(), other=object())
    await Server.with_from(pid, object(), key=object())
    await GenServer.call("server", object())
    await GenServer.call(Via(Registry, ("registry", ("key", 1))), object())


async def unusual_calls(pid: Pid) -> None:
    # Without a limit: a timer that was cancelled stays in memory for a while.
    await GenServer.call(pid, "later", None)
    await GenServer.call(pid, "cast", None)
    await Server.waits.timeout(None)(pid)
    with suppress(ValueError):
        await GenServer.call(pid, "fail")
    running().budget = 0
    await Server.plain.timeout(None)(pid, object(), key=object())


async def crashes(_: Pid) -> None:
    for request in ("raise", "stop"):
        pid = await Server.start()
        with suppress(ExitError):
            await GenServer.call(pid, request)
    pid = await Server.start()
    GenServer.cast(pid, "raise")
    GenServer.cast(pid, object())


async def casts(pid: Pid) -> None:
    for value in (object(), (object(),), (object(), object())):
        GenServer.cast(pid, value)
        GenServer.cast("server", value)
    Server.note(pid)
    Server.note(pid, object())
    Server.note(pid, object(), object(), key=object())
    process.send(pid, "noise")


async def look_ups(_: Pid) -> None:
    for key in (("key", 1), ("key", 2)):
        Registry.lookup("registry", key)
        Registry.whereis("registry", key)
    for name, key in (("server", "key"), ("registry", [])):
        with suppress(NoProcessError, TypeError):
            Registry.lookup(name, key)


async def grown(work: Work, pid: Pid, rounds: int) -> dict[str, int]:
    """Return by how much a round has let each counter grow at least."""
    minimum = dict.fromkeys(COUNTERS, sys.maxsize)
    for number in range(WARM_UP + rounds):
        gc.collect()
        before = {name: count() for name, count in COUNTERS.items()}
        for _ in range(OPERATIONS):
            await work(pid)
        await settle()
        gc.collect()
        if number >= WARM_UP:
            for name, count in COUNTERS.items():
                minimum[name] = min(minimum[name], count() - before[name])
    return minimum


async def main(rounds: int) -> int:
    """Run everything; return 1 if something has leaked."""
    if core is None:
        sys.exit("there is no native core")
    logging.getLogger("beamish").setLevel(logging.CRITICAL + 1)
    await Registry.start(keys="unique", name="registry")
    pid = await Server.start(name="server")
    via = Via(Registry, ("registry", ("key", 1)))
    await Server.start(name=via)
    status = 0
    for work in (calls, unusual_calls, crashes, casts, look_ups):
        for name, growth in (await grown(work, pid, rounds)).items():
            leaks = growth > MAX_GROWN
            print(f"{work.__name__}: {growth} {name}{' LEAKED' if leaks else ''}")
            status |= leaks
    return status


sys.exit(asyncio.run(main(int(sys.argv[1]))))
