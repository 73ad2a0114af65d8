"""triotp: generic servers, supervisors and mailboxes on trio.

Written as its documentation shows a dynamic supervisor and a generic server:
https://linkdd.github.io/triotp. A server is a module of callbacks. Each request goes to a name,
which the library resolves; no function only looks a name up. A call does not return
if its server crashes, so the crash is a cast.
"""

import sys
from collections.abc import Sequence
from typing import Any

import trio
from triotp import application, dynamic_supervisor, gen_server, mailbox, node, supervisor
from triotp.helpers import current_module

from benchmarks.peers.peer import Main, Peer

__module__ = current_module()

SUPERVISOR = "tracker-supervisor"
OPTIONS = supervisor.options(max_restarts=1_000_000_000)
GONE = (mailbox.MailboxDoesNotExist, trio.BrokenResourceError, trio.ClosedResourceError)


async def start_tracker(name: str) -> None:
    """Run a tracker of one transaction."""
    await gen_server.start(__module__, name=name)


async def init(_: Any) -> int:
    """Return the first state of a tracker."""
    return 0


async def handle_call(_message: Any, _caller: Any, bumps: int) -> tuple[Any, int]:
    """Return the state."""
    return gen_server.Reply(payload=bumps), bumps


async def handle_cast(message: Any, bumps: int) -> tuple[Any, int]:
    """Change the state, or raise."""
    if message == "crash":
        raise RuntimeError("crash")
    return gen_server.NoReply(), bumps + 1


async def terminate(_reason: Any, _bumps: int) -> None:
    """Report a crash to nobody."""


async def start(main: Main) -> None:
    """Run the application: the dynamic supervisor, and ``main`` beside it."""
    async with trio.open_nursery() as nursery:
        await nursery.start(dynamic_supervisor.start, OPTIONS, SUPERVISOR)
        await main()


def run(main: Main) -> None:
    """Run a node with one application."""
    node.run(apps=[application.app_spec(module=sys.modules[__name__], start_arg=main)])


async def start_each(names: Sequence[str]) -> Sequence[str]:
    for name in names:
        spec = supervisor.child_spec(id=name, task=start_tracker, args=[name])
        await dynamic_supervisor.start_child(SUPERVISOR, spec)
        await answered(name)
    return names


async def answered(name: str) -> None:
    """Wait until the server of a name answers."""
    while True:
        try:
            await gen_server.call(name, "status")
        except GONE:
            await trio.sleep(0)
        else:
            return


async def call_each(names: Sequence[str]) -> Any:
    answer = None
    for name in names:
        answer = await gen_server.call(name, "status")
    return answer


async def cast_each(names: Sequence[str]) -> None:
    for name in names:
        await gen_server.cast(name, "bump")


async def crash_each(names: Sequence[str]) -> None:
    for name in names:
        await gen_server.cast(name, "crash")
        await answered(name)


def peer() -> Peer[str]:
    """Return the loops."""
    return Peer(run, start_each, call_each, cast_each, crash_each=crash_each)
