"""Thespian: one operating system process for each actor, with ``multiprocTCPBase``.

Written as its guide shows actors and system bases: https://thespianpy.com/doc/using.html. A
look-up is a second ``createActor`` with the same ``globalName``. Nothing restarts an actor: a
message that raises is delivered once more and then comes back as a ``PoisonMessage``.
"""

from collections.abc import Sequence
from typing import Any

from thespian.actors import Actor, ActorAddress, ActorSystem

from benchmarks.peers.peer import Peer, run_in_asyncio


class Tracker(Actor):
    """A tracker of one transaction."""

    bumps = 0

    def receiveMessage(self, message: Any, sender: Any) -> None:  # noqa: N802, the library's name
        """Change the state, or answer with it."""
        if message == "bump":
            self.bumps += 1
        elif message == "status":
            self.send(sender, self.bumps)


class Running:
    """The actor system of this program."""

    system: ActorSystem


def start_system() -> ActorSystem:
    """Start an actor system that no other program shares."""
    Running.system = ActorSystem("multiprocTCPBase", transientUnique=True)
    return Running.system


async def start_each(names: Sequence[str]) -> list[ActorAddress]:
    return [Running.system.createActor(Tracker, globalName=name) for name in names]


async def call_each(actors: Sequence[ActorAddress]) -> Any:
    answer = None
    for actor in actors:
        answer = Running.system.ask(actor, "status", 10)
    return answer


async def cast_each(actors: Sequence[ActorAddress]) -> None:
    for actor in actors:
        Running.system.tell(actor, "bump")


async def look_up_each(names: Sequence[str]) -> None:
    for name in names:
        Running.system.createActor(Tracker, globalName=name)


def peer() -> Peer[ActorAddress]:
    """Return the loops."""
    return Peer(
        run_in_asyncio,
        start_each,
        call_each,
        cast_each,
        look_up_each,
        stop=start_system().shutdown,
    )
