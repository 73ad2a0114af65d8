"""Values to store, and shortcuts to store them."""

from typing import Any

from msgspec.structs import replace

from transaction_tracker.domain import Event, Link, Outcome, Registration, Tracked
from transaction_tracker.store import Step, committing, reading, registering

from ..databases import SOURCE, Run  # noqa: TID252

TEN = Link(10, "ten", "nine")
ELEVEN = Link(11, "eleven", "ten")


def tracked(key: str = "tx", **fields: object) -> Tracked:
    return replace(Tracked(key, required=3), **fields)  # type: ignore[arg-type]


def seen(before: Tracked) -> Event:
    """Return the event that makes a transaction pending."""
    after = replace(
        before,
        state="pending",
        version=before.version + 1,
        slots=(f"slot of {before.id}",),
        content="c",
    )
    return Event(before.state, after)


def mined(before: Tracked, link: Link = TEN, fee: int = 21) -> Event:
    """Return the event that puts a transaction into a block."""
    after = replace(
        before,
        state="mined",
        version=before.version + 1,
        slots=(f"slot of {before.id}",),
        content="c",
        anchor=link.ref,
        outcome=Outcome(succeeded=True, fee=fee),
    )
    return Event(before.state, after)


def confirmed(before: Tracked) -> Event:
    """Return the event that confirms a mined transaction."""
    return Event(before.state, replace(before, state="confirmed", version=before.version + 1))


def untracked(before: Tracked) -> Event:
    """Return the event that stops tracking a transaction."""
    return Event(before.state, replace(before, state="untracked", version=before.version + 1))


def wanted(*keys: str, required: int = 3) -> list[Registration]:
    return [Registration(key, required) for key in keys]


def register(run: Run, *keys: str) -> Any:
    return run(registering.register, wanted(*keys))


def commit(run: Run, **fields: Any) -> Any:
    return run(committing.commit, Step(SOURCE, keep=100, **fields))


def open_ones(run: Run) -> list[Tracked]:
    """Return the transactions that a start loads."""
    return run(
        lambda connection: [
            transaction for part in reading.load_open(connection) for transaction in part
        ]
    )
