"""The input and the result of one database transaction."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field, replace

from transaction_tracker.domain import (
    BlockRef,
    Event,
    Link,
    Paid,
    PassedOver,
    Required,
    RequiredBy,
    Tracked,
)
from transaction_tracker.slices import slices


@dataclass(frozen=True, slots=True)
class FoundDeposits:
    """Payments to watched addresses in the blocks of a step.

    Attributes:
        version: Number of additions of addresses that the blocks were compared with.
        paid: What transactions pay, by id at the source.
        required: Of those of them that are not open: what makes their states final.
        asked: Those of ``required`` for which the address says it, which outweighs each rule.
        contained: Open transactions that the applied block contains, as they were registered.
        passed_over: Numbers of payments that become no transaction, by address and reason.
        max_open: Maximum number of open transactions for each address.
        adds: Whether a transaction keeps its other deposits: only some addresses were looked for.
        unread: Numbers of blocks whose transfers no provider sends, to be searched later.
    """

    version: int = 0
    paid: Paid = field(default_factory=dict)
    required: Mapping[str, Required] = field(default_factory=dict)
    asked: Set[str] = frozenset()
    contained: Set[str] = frozenset()
    passed_over: Mapping[tuple[str, PassedOver], int] = field(default_factory=dict)
    max_open: int = 0
    adds: bool = False
    unread: tuple[int, ...] = ()

    def required_by(self, transaction: str) -> RequiredBy:
        """Return who chose what makes the state of a transaction of ``required`` final."""
        return "request" if transaction in self.asked else "setting"

    @property
    def has_any(self) -> bool:
        """Whether anything must be written, except that the blocks were compared."""
        return bool(self.paid or self.contained or self.passed_over)


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
        deposits: Payments to watched addresses in the applied blocks. ``None`` without addresses.
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
    deposits: FoundDeposits | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """The result of a step.

    Attributes:
        rows: Transactions as they are stored now: changed ones, and those with another version.
        events: The transitions that were written.
        tip: The new highest block; ``None`` if no block was undone or applied.
        position: Position of the first event; the others follow consecutively. 0 without events.
        source: Name of the source of ``tip``.
        started: Transactions that are tracked from now on; ``rows`` has them too.
        is_outdated: Whether nothing was written, because addresses were added meanwhile.
    """

    rows: tuple[Tracked, ...] = ()
    events: tuple[Event, ...] = ()
    tip: BlockRef | None = None
    position: int = 0
    source: str = ""
    started: tuple[Tracked, ...] = ()
    is_outdated: bool = False

    def parts(self) -> Iterator["Stored"]:
        """Yield parts with a slice of the rows each; everything else is in the last part."""
        *others, last = list(slices(self.rows)) or [[]]
        for rows in others:
            yield Stored(tuple(rows))
        yield replace(self, rows=tuple(last)) if others else self
