"""Events to deliver, and helpers that wait."""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial

from msgspec.structs import replace

from transaction_tracker.delivery import endpoints
from transaction_tracker.domain import Event, Link, Outcome, Registration, State, Tracked
from transaction_tracker.store import Step, Store, Stored
from transaction_tracker.store import outbox as table

from ..databases import SOURCE  # noqa: TID252

PATIENCE = 50.0
TEN = Link(10, "ten", "nine")


def life(key: str, states: Sequence[State] = ("pending", "mined", "confirmed")) -> list[Event]:
    """Return the events of a transaction that goes through states in order."""
    tracked = Tracked(key, required=3)
    events = []
    for state in states:
        before, tracked = tracked, in_state(tracked, state)
        events.append(Event(before.state, tracked))
    return events


def in_state(before: Tracked, state: State) -> Tracked:
    """Return the transaction in its next state."""
    decided = state in ("mined", "confirmed")
    return replace(
        before,
        state=state,
        version=before.version + 1,
        slots=(f"slot of {before.id}",),
        content="c",
        anchor=TEN.ref if decided else None,
        outcome=Outcome(succeeded=True, fee=21) if decided else None,
    )


def wanted(*keys: str, metadata: str = "{}") -> list[Registration]:
    return [Registration(key, 3, metadata=metadata) for key in keys]


async def register(*keys: str, metadata: str = "{}") -> None:
    await Store.register(wanted(*keys, metadata=metadata))


async def write(*events: Event) -> Stored:
    """Store events, and wake the outbox, as the follower does."""
    return await Store.commit(Step(SOURCE, events=events))


async def happens(*keys: str, states: Sequence[State] = ("pending", "mined", "confirmed")) -> None:
    """Register transactions and store their events, with one commit per state."""
    await register(*keys)
    lives = [life(key, states) for key in keys]
    for events in zip(*lives, strict=True):
        await write(*events)


async def eventually(condition: Callable[[], object]) -> None:
    """Poll until a condition holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.002)


async def pending(endpoint: str) -> int:
    """Return the number of pending deliveries of an endpoint."""
    return (await endpoints.counts(endpoint))[0]


async def nothing_pending(endpoint: str, but: int = 0) -> None:
    """Wait until at most ``but`` deliveries of an endpoint are pending."""
    async with asyncio.timeout(PATIENCE):
        while await pending(endpoint) > but:
            await asyncio.sleep(0.002)


async def warm_up(endpoint: str) -> None:
    """Deliver some events, so that the endpoint's window allows several attempts in flight."""
    await happens(*(f"warm{number}" for number in range(3)), states=["pending"])
    await nothing_pending(endpoint)


async def due_in(endpoint: str) -> float:
    """Return the seconds until the next delivery is due; 0 if one is due now."""
    batch = await Store.run(partial(table.due, endpoint=endpoint, limit=1))
    return 0.0 if batch.next_due is None else batch.next_due - time.time()
