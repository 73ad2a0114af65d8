"""What belongs together in one database transaction, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from transaction_tracker.domain import BlockRef, Event, Link, Tracked


@dataclass(frozen=True, slots=True)
class Step:
    """One block and all that it changes, or changes without a block.

    Attributes:
        source: Whose blocks these are.
        events: Transitions, each of the version after the one that is stored.
        undone: The block that is taken back.
        below: The block that becomes the tip when ``undone`` is taken back; ``None`` means the
            parent, one number below.
        applied: The block that becomes the tip.
        slots: The slots that the applied block's transactions took, and which one took each.
        quiet: Blocks between the tip and the applied one that change no transaction, from the
            lowest up, with their slots.
        keep: How many blocks are kept below the applied one, itself counted.
        forgets: Whether all kept blocks are forgotten, because none of them is canonical.
        freezes: Whether nothing is told of this source's events from now on.
    """

    source: str
    events: tuple[Event, ...] = ()
    undone: Link | None = None
    below: BlockRef | None = None
    applied: Link | None = None
    slots: Mapping[str, str] = field(default_factory=dict, repr=False)
    quiet: tuple[tuple[Link, Mapping[str, str]], ...] = field(default=(), repr=False)
    keep: int = 0
    forgets: bool = False
    freezes: bool = False


@dataclass(frozen=True, slots=True)
class Stored:
    """What was written.

    Attributes:
        rows: Transactions as they are stored now, changed or found changed by somebody else.
        events: The transitions that were written.
        tip: The highest block now; ``None`` when no block was touched.
        position: The first event's place among all events; the others follow one by one.
            0 without events.
    """

    rows: tuple[Tracked, ...] = ()
    events: tuple[Event, ...] = ()
    tip: BlockRef | None = None
    position: int = 0
