"""Pykka: one thread for each actor.

Written as its documentation shows a plain actor: https://pykka.readthedocs.io/. Its registry has no
names: it finds an actor by its class or by the URN that the library gave to it. Nothing restarts an
actor.
"""

from collections.abc import Sequence
from typing import Any

from pykka import ActorRef, ThreadingActor

from benchmarks.peers.peer import Peer, run_in_asyncio


class Tracker(ThreadingActor):
    """A tracker of one transaction."""

    def __init__(self) -> None:
        super().__init__()
        self.bumps = 0

    def on_receive(self, message: Any) -> int:
        """Change the state if asked to, and return it."""
        if message == "bump":
            self.bumps += 1
        return self.bumps


async def start_each(names: Sequence[str]) -> list[ActorRef[Tracker]]:
    return [Tracker.start() for _ in names]


async def call_each(actors: Sequence[ActorRef[Tracker]]) -> Any:
    answer = None
    for actor in actors:
        answer = actor.ask("status")
    return answer


async def cast_each(actors: Sequence[ActorRef[Tracker]]) -> None:
    for actor in actors:
        actor.tell("bump")


def peer() -> Peer[ActorRef[Tracker]]:
    """Return the loops."""
    return Peer(run_in_asyncio, start_each, call_each, cast_each)
