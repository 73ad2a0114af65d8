"""Have the garbage collector kill a server at each allocation of a call and of a turn.

Up to CPython 3.11, any allocation of a container can collect garbage, and thus run a finalizer.
"""

import asyncio
import gc
import logging
import sys

from beamish import ExitError, From, GenServer, NoProcessError, Pid, process
from beamish._native import core
from beamish.testing import settle

MAX_THRESHOLD = 60  # more containers than a call allocates


class Witness(GenServer):
    def handle_call(self, request: object, from_: From) -> object:
        return process.is_alive(self.pid)

    def handle_cast(self, request: list[bool]) -> None:
        request.append(process.is_alive(self.pid))


class Killer:
    """Kills a server when it is collected, which only the garbage collector does."""

    def __init__(self, pid: Pid) -> None:
        self.me, self.pid = self, pid

    def __del__(self) -> None:
        process.exit(self.pid, "kill")


async def call(pid: Pid, threshold: int) -> str:
    """Call a server that is killed at some moment; return what the caller saw."""
    Killer(pid)
    gc.set_threshold(threshold)
    try:
        alive = await GenServer.call(pid, "request", None)
    except (ExitError, NoProcessError):
        return "killed before the call or during it"
    finally:
        gc.set_threshold(0)
    assert alive, f"a dead server has replied, threshold {threshold}"
    return "replied"


async def cast(pid: Pid, threshold: int) -> None:
    """Cast to a server that is killed at some moment; each handled one finds it alive.

    From CPython 3.12 on, the collector runs only between two instructions of Python, so it can kill
    the server inside the callback.
    """
    seen: list[bool] = []
    GenServer.cast(pid, seen)
    GenServer.cast(pid, seen)
    Killer(pid)
    gc.set_threshold(threshold)
    pid._process.turn()
    gc.set_threshold(0)
    assert all(seen) or sys.version_info >= (3, 12), (
        f"a dead server has handled a cast, threshold {threshold}"
    )


async def main() -> None:
    assert core is not None
    logging.getLogger("beamish").setLevel(logging.CRITICAL + 1)
    gc.disable()
    results = []
    for threshold in range(1, MAX_THRESHOLD):
        gc.collect()
        pid = await Witness.start()
        gc.enable()
        results.append(await call(pid, threshold))
        gc.disable()
        gc.collect()
        pid = await Witness.start()
        gc.enable()
        await cast(pid, threshold)
        gc.disable()
        await settle()
    print(*sorted(set(results)), sep="\n")


asyncio.run(main())
