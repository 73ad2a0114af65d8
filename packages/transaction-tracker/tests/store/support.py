"""Values to store."""

from dataclasses import replace

from transaction_tracker.domain import BlockRef, Event, Link, Outcome, Tracked

SOURCE = "ethereum:31337"
TEN = Link(10, "ten", "nine")
ELEVEN = Link(11, "eleven", "ten")


def tracked(key: str = "tx", **fields: object) -> Tracked:
    return replace(Tracked(key, required=3), **fields)  # type: ignore[arg-type]


def seen(before: Tracked) -> Event:
    """The event that makes a transaction pending."""
    after = replace(
        before,
        state="pending",
        version=before.version + 1,
        slot=f"slot of {before.id}",
        content="c",
    )
    return Event(before.state, after)


def mined(before: Tracked, link: Link = TEN, fee: int = 21) -> Event:
    """The event that puts a transaction into a block."""
    after = replace(
        before,
        state="mined",
        version=before.version + 1,
        slot=f"slot of {before.id}",
        content="c",
        anchor=link.ref,
        outcome=Outcome(succeeded=True, fee=fee),
    )
    return Event(before.state, after)


def confirmed(before: Tracked) -> Event:
    """The event that ends a mined transaction."""
    return Event(before.state, replace(before, state="confirmed", version=before.version + 1))


__all__ = ["ELEVEN", "SOURCE", "TEN", "BlockRef", "confirmed", "mined", "seen", "tracked"]
