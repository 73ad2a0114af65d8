"""The input and the result of one database transaction."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from transaction_tracker.domain import BlockRef, Event, Link, Tracked
from transaction_tracker.slices import slices


@dataclass(frozen=True, slots=True)
class Step:
    """One block and all its changes, or changes without a block.

    Attributes:
        source: Name of the source.
        events: Transitions, each one version after the stored one.
        undone: The block that is undone.
        below: The block that becomes the tip when ``undone`` is undone. Default: the parent, one
            number below.
        applied: The block that becomes the tip.
        slots: The slots that the applied block's transactions took, each with its transaction.
        quiet: Blocks between the tip and the applied one that change no transaction, from the
            lowest up, with their slots.
        keep: Number of blocks to keep, including the applied one.
        forgets: Whether to remove all kept blocks, because none of them is canonical.
        freezes: Whether to pause deliveries from now on.
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
    """The result of a step.

    Attributes:
        rows: Transactions as they are stored now: changed ones, and those with another version.
        events: The transitions that were written.
        tip: The new highest block; ``None`` if no block was undone or applied.
        position: Position of the first event; the others follow consecutively. 0 without events.
        source: Name of the source of ``tip``.
    """

    rows: tuple[Tracked, ...] = ()
    events: tuple[Event, ...] = ()
    tip: BlockRef | None = None
    position: int = 0
    source: str = ""

    def parts(self) -> Iterator["Stored"]:
        """Yield parts with a slice of the rows each; everything else is in the last part."""
        *others, last = list(slices(self.rows)) or [[]]
        for rows in others:
            yield Stored(tuple(rows))
        yield replace(self, rows=tuple(last)) if others else self
