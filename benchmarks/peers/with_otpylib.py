"""otpylib: processes, generic servers and dynamic supervisors on asyncio.

Written as its example shows a dynamic supervisor:
https://github.com/HeroesLament/otpylib/blob/main/examples/hello_dynamic_supervisorm.py. Callers
hold a name. Crashes are not measured. Version 0.5.18 numbers the monitors of a supervisor by how
many it has, so that two children share a number after a restart, and at a later crash it restarts
the other child; the one that crashed stays down.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from otpylib import dynamic_supervisor, gen_server, process
from otpylib.dynamic_supervisor import ONE_FOR_ONE, TRANSIENT, child_spec, options
from otpylib.gen_server.data import NoReply, Reply
from otpylib.module import DYNAMIC_SUPERVISOR, GEN_SERVER, OTPModule
from otpylib.runtime import set_runtime
from otpylib.runtime.backends.asyncio_backend.backend import AsyncIOBackend

from benchmarks.peers.peer import Main, Peer, run_in_asyncio

SUPERVISOR = "tracker_supervisor"


class Tracker(metaclass=OTPModule, behavior=GEN_SERVER, version="1.0.0"):
    """A tracker of one transaction."""

    async def init(self, _: Any) -> int:
        """Return the first state."""
        return 0

    async def handle_call(self, _request: Any, _from: Any, bumps: int) -> tuple[Any, int]:
        """Return the state."""
        return Reply(bumps), bumps

    async def handle_cast(self, _message: Any, bumps: int) -> tuple[Any, int]:
        """Change the state."""
        return NoReply(), bumps + 1

    async def handle_info(self, _message: Any, bumps: int) -> tuple[Any, int]:
        """Ignore other messages; the library requires this callback and the next."""
        return NoReply(), bumps

    async def terminate(self, _reason: Any, _bumps: int) -> None:
        """Clean nothing up."""


class TrackerSupervisor(metaclass=OTPModule, behavior=DYNAMIC_SUPERVISOR, version="1.0.0"):
    """The supervisor of all trackers."""

    async def init(self, _: Any) -> tuple[list[Any], Any]:
        """Return the first children and the options."""
        return [], options(strategy=ONE_FOR_ONE)

    async def terminate(self, _reason: Any, _state: Any) -> None:
        """Clean nothing up."""


def run(main: Main) -> None:
    """Run ``main`` in a process of the backend, because only processes start servers."""

    async def in_backend() -> None:
        backend = AsyncIOBackend()
        await backend.initialize()
        set_runtime(backend)
        done = asyncio.get_running_loop().create_future()

        async def supervised() -> None:
            try:
                await dynamic_supervisor.start_link(TrackerSupervisor, name=SUPERVISOR)
                await main()
            except Exception as error:  # the backend would only log it
                done.set_exception(error)
            else:
                done.set_result(None)

        await process.spawn(supervised, mailbox=True)
        await done

    run_in_asyncio(in_backend)


async def start_each(names: Sequence[str]) -> Sequence[str]:
    for name in names:
        spec = child_spec(id=name, module=Tracker, restart=TRANSIENT, name=name)
        await dynamic_supervisor.start_child(SUPERVISOR, spec)
    return names


async def call_each(names: Sequence[str]) -> Any:
    answer = None
    for name in names:
        answer = await gen_server.call(name, "status")
    return answer


async def cast_each(names: Sequence[str]) -> None:
    for name in names:
        await gen_server.cast(name, "bump")


async def look_up_each(names: Sequence[str]) -> None:
    for name in names:
        process.whereis(name)


def peer() -> Peer[str]:
    """Return the loops."""
    return Peer(run, start_each, call_each, cast_each, look_up_each)
