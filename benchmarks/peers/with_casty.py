"""casty: virtual actors in a core written in Rust, on asyncio.

Written as its README shows a counter: https://pypi.org/project/casty/0.30.2/. An actor starts with
the first message to its key; a body that raises is called again after a back-off, which is zero
here (default: 0.1 s), with the state that was saved last.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from casty import ActorFailed, ActorSystem, Askable, Backoff, Context, Ref, actor

from benchmarks.peers.peer import Main, Peer, run_in_asyncio


@dataclass(frozen=True)
class Bump:
    """Changes the state."""


@dataclass(frozen=True)
class Status(Askable[int]):
    """Asks for the state."""


@dataclass(frozen=True)
class Crash(Askable[int]):
    """Raises in the actor."""


Message = Bump | Status | Crash


@actor(initial=0)
async def tracker(ctx: Context[int, Message]) -> None:
    """Track one transaction."""
    async for message in ctx.inbox:
        match message:
            case Bump():
                await ctx.state.set(ctx.state.value + 1)
            case Status():
                message.reply_to.tell(ctx.state.value)
            case Crash():
                raise RuntimeError("crash")


SYSTEM = ActorSystem(backoff=Backoff(first=timedelta(0)))


def run(main: Main) -> None:
    """Run the system around ``main``."""
    logging.getLogger("casty").setLevel(logging.CRITICAL + 1)

    async def in_system() -> None:
        async with SYSTEM:
            await main()

    run_in_asyncio(in_system)


async def start_each(names: Sequence[str]) -> list[Ref[Message]]:
    refs = [SYSTEM.ref(tracker, name) for name in names]
    await call_each(refs)
    return refs


async def call_each(refs: Sequence[Ref[Message]]) -> int:
    answer = 0
    for ref in refs:
        answer = await ref.ask(Status())
    return answer


async def cast_each(refs: Sequence[Ref[Message]]) -> None:
    for ref in refs:
        ref.tell(Bump())


async def look_up_each(names: Sequence[str]) -> None:
    for name in names:
        SYSTEM.ref(tracker, name)


async def crash_each(names: Sequence[str]) -> None:
    for name in names:
        ref = SYSTEM.ref(tracker, name)
        try:
            await ref.ask(Crash())
        except ActorFailed:
            await ref.ask(Status())  # the answer of the successor


def peer() -> Peer[Ref[Message]]:
    """Return the loops."""
    return Peer(run, start_each, call_each, cast_each, look_up_each, crash_each)
