"""Write transitions: each updates its transaction, and becomes an event that never changes.

The user can change a registration between the decision about a transition and its storing. Such a
change does not raise the version: the transition would be stale, and the facts of its block lost.
Instead, the row's ``revision`` counts the changes, and a transition of an older revision is
written with the new registration. Only an end that depends on the old one is not written: the
follower decides about it again with the next block.
"""

import time
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple, cast

from msgspec.structs import replace
from sqlalchemy import Connection, bindparam, insert, update

from transaction_tracker.domain import ENDS, TERMINAL, Event, at_least
from transaction_tracker.store import (
    broadcasts,
    bulk,
    details,
    expectations,
    objections,
    outbox,
    token_units,
)
from transaction_tracker.store.addresses import counts
from transaction_tracker.store.details import Units
from transaction_tracker.store.rows import (
    EVENT_COLUMNS,
    TRACKED_COLUMNS,
    event_values,
    required,
    tracked_values,
)
from transaction_tracker.store.schema import counters, events, transactions

# Columns that an event and its transaction have in common, and that the tracker does not hold.
_SHOWN = ("details", "expectation", "deposits")
_KEPT = ("source", "metadata", *_SHOWN)
# Columns that the user can change at any time, also while a transition is being decided.
_REGISTERED = ("required", "required_by", "deadline", "revision")
_SET: bulk.Names = (*TRACKED_COLUMNS[1:], *_SHOWN)
# Columns that are NULL in nearly every transaction, before and after a transition. To set them
# takes as long as all the others.
_RARE = (
    "failure",
    "superseded_by",
    "reason",
    "error",
    "missing_height",
    "missing_time",
    "hash",
    "required_by",
    "expectation",
    "deposits",
)
_HAS_RARE = f"({' OR '.join(f'{name} IS NOT NULL' for name in _RARE)})"
_USUAL: bulk.Names = tuple(name for name in _SET if name not in _RARE)
_NULLS = (None,) * len(_RARE)
_rare = itemgetter(*map(_SET.index, _RARE))
_usual = itemgetter(*map(_SET.index, _USUAL))
# Compare and set: a row with another version is not changed.
_WHERE = ("id", "version")

_COUNT_ON = (
    update(counters)
    .where(counters.c.name == "events")
    .values(value=counters.c.value + bindparam("more"))
    .returning(counters.c.value)
)


class _Registered(NamedTuple):
    """The values of ``_REGISTERED`` of a transaction."""

    required: str
    required_by: str | None
    deadline: float | None
    revision: int

    def applied_to(self, event: Event) -> Event | None:
        """Return the event with this registration; ``None`` for an end by an older one."""
        tracked = event.tracked
        if tracked.revision == self.revision:
            return event
        # A rule can have raised the number in this event. Only the user's own number outweighs it.
        by_user = self.required_by is None
        wanted = required(self.required) if by_user else tracked.required
        # The row does not have the minimum yet that this event raises the requirement to.
        wanted = at_least(wanted, event.min_confirmations)
        by_depth = tracked.anchor is not None and tracked.state in ENDS.values()
        if by_depth and tracked.required != wanted:
            return None
        if tracked.state == "expired" and tracked.deadline != self.deadline:
            return None
        after = replace(
            tracked,
            required=wanted,
            required_by="request" if by_user else tracked.required_by,
            deadline=self.deadline,
            revision=self.revision,
        )
        return replace(event, tracked=after)


class _Kept(NamedTuple):
    """The values of ``_KEPT`` of a transaction."""

    source: str
    metadata: str
    details: str | None
    expectation: str | None
    # What the transaction pays to watched addresses: written before its transitions, and corrected
    # by the details that these show.
    deposits: str | None

    @property
    def shown(self) -> "_Kept":
        """The values that the event shows."""
        deposits = counts.shown(self.deposits)
        return self if deposits is self.deposits else self._replace(deposits=deposits)

    def after(self, event: Event, units: Units) -> "_Kept":
        """Return the values after an event, with the units of its tokens that are known."""
        known = details.after(self.details, event, units)
        expectation = expectations.after(self.expectation, event, known)
        paid = self.deposits
        if paid is not None:
            paid = counts.after(paid, event, details.complete_after(known, event))
        return _Kept(self.source, self.metadata, known, expectation, paid)


class _Move(NamedTuple):
    """The transitions of one transaction in a step, from the first to the last."""

    first: Event
    last: Event
    kept: _Kept

    @property
    def id(self) -> str:
        return self.last.tracked.key

    @property
    def ends_or_begins(self) -> bool:
        return (self.first.previous in TERMINAL) != self.last.tracked.final

    @property
    def values(self) -> tuple[object, ...]:
        shown = self.kept.details, self.kept.expectation, self.kept.deposits
        return *tracked_values(self.last.tracked)[1:], *shown

    @property
    def where(self) -> tuple[str, int]:
        return self.id, self.first.tracked.version - 1


def record(connection: Connection, steps: Sequence[Event]) -> tuple[int, tuple[Event, ...]]:
    """Write the transitions of transactions that still have the expected version.

    Args:
        connection: Inside a database transaction.
        steps: The transitions; several of one transaction are consecutive.

    Returns:
        The position of the first written event, and the written events; the others belong to
        transactions that have another version, or are ends by an older registration.
    """
    before, registered, unusual = _rows(connection, steps)
    steps = _with_registration(steps, registered)
    kept = _kept_after(steps, before, token_units.note(connection, _tokens(steps, before)))
    stale = _move(connection, steps, kept, unusual) if steps else set()
    rows = [
        (*event_values(event), *values.shown)
        for event, values in zip(steps, kept, strict=True)
        if event.tracked.key not in stale
    ]
    written = tuple(event for event in steps if event.tracked.key not in stale)
    if not written:
        return 0, ()
    ended = [event.tracked.key for event in written if event.tracked.final]
    objections.forget(connection, ended)
    broadcasts.forget(connection, ended)
    _count_denied(connection, before, written, rows)
    counts.count_ends(connection, written, [row[-1] for row in rows])
    first = _count_on(connection, len(written))
    now = time.time()
    rows = [(position, *row, now) for position, row in enumerate(rows, start=first)]
    bulk.insert(connection, events, ("position", *EVENT_COLUMNS, *_KEPT, "recorded_at"), rows)
    outbox.enqueue(connection, list(enumerate(written, start=first)))
    return first, written


def _rows(
    connection: Connection, steps: Sequence[Event]
) -> tuple[dict[str, _Kept], dict[str, _Registered], set[str]]:
    """Return the values of ``_KEPT`` and ``_REGISTERED`` of the transactions, by id.

    Also return the ids of those with a value in a column of ``_RARE``.
    """
    ids = list({event.tracked.key for event in steps})
    names = ("id", _HAS_RARE, *_REGISTERED, *_KEPT)
    rows = bulk.select(connection, transactions, names, "id", ids) if ids else ()
    end = 2 + len(_REGISTERED)
    kept = {row[0]: _Kept(*row[end:]) for row in rows}
    registered = {row[0]: _Registered(*row[2:end]) for row in rows}
    return kept, registered, {row[0] for row in rows if row[1]}


def _with_registration(
    steps: Sequence[Event], registered: Mapping[str, _Registered]
) -> list[Event]:
    """Return the events with the stored registrations, without ends by older ones."""
    found: list[Event] = []
    for event in steps:
        row = registered.get(event.tracked.key)
        # A transaction without a row is stale: its event is not written.
        current = event if row is None else row.applied_to(event)
        if current is not None:
            found.append(current)
    return found


def _tokens(steps: Sequence[Event], before: Mapping[str, _Kept]) -> set[tuple[str, str]]:
    """Return the tokens in events whose decimals can be unknown, with the name of the source."""
    found: set[tuple[str, str]] = set()
    for event in steps:
        kept = before.get(event.tracked.key)
        tokens = details.tokens_of(event) | details.open_tokens(kept and kept.details)
        if tokens:
            found |= {(event.tracked.source, token) for token in tokens}
    return found


def _kept_after(steps: Sequence[Event], before: Mapping[str, _Kept], units: Units) -> list[_Kept]:
    """Return the values of ``_KEPT`` after each event."""
    kept = dict(before)
    found: list[_Kept] = []
    for event in steps:
        # A transaction without a row is stale: its event is not written.
        key = event.tracked.key
        known = kept.get(key, _Kept("", "{}", None, None, None))
        kept[key] = known.after(event, units)
        found.append(kept[key])
    return found


def _count_denied(
    connection: Connection,
    before: Mapping[str, _Kept],
    written: Sequence[Event],
    rows: Sequence[Sequence[object]],
) -> None:
    """Count the transactions of addresses whose deposits the written events deny or restore."""
    after = {event.tracked.key: row[-1] for event, row in zip(written, rows, strict=True)}
    changed: dict[str, list[tuple[str | None, str | None]]] = {}
    for key, deposits in after.items():
        kept = before[key]
        if deposits is not None and kept.deposits != deposits:
            changed.setdefault(kept.source, []).append((kept.deposits, cast("str", deposits)))
    for source, some in changed.items():
        counts.count_changes(connection, source, some)


def _move(
    connection: Connection, steps: Sequence[Event], kept: Sequence[_Kept], unusual: set[str]
) -> set[str]:
    """Update transactions; return the ids of those that have another version."""
    moves = _moves(steps, kept)
    with connection.begin_nested() as savepoint:
        if _update(connection, moves, unusual) == len(moves):
            return set()
        savepoint.rollback()
    # Some transactions have another version: find out which, one by one. It is rare.
    return {move.id for move in moves if not _update(connection, [move], unusual)}


def _moves(steps: Sequence[Event], kept: Sequence[_Kept]) -> list[_Move]:
    """Combine all transitions of each transaction into one update."""
    firsts: dict[str, Event] = {}
    lasts: dict[str, tuple[Event, _Kept]] = {}
    for event, values in zip(steps, kept, strict=True):
        key = event.tracked.key
        firsts.setdefault(key, event)
        lasts[key] = event, values
    return [_Move(firsts[key], *last) for key, last in lasts.items()]


def _update(connection: Connection, moves: Sequence[_Move], unusual: set[str]) -> int:
    """Update the transactions with the expected version, and return their number.

    Args:
        connection: Inside a database transaction.
        moves: The transitions.
        unusual: The transactions with a value in a column of ``_RARE`` before them.
    """
    now = time.time()
    rows: dict[bulk.Names, list[tuple[object, ...]]] = {}
    for move in moves:
        names, values = _SET, move.values
        if move.id not in unusual and _rare(values) == _NULLS:
            names, values = _USUAL, _usual(values)
        if move.ends_or_begins:
            names = (*names, "ended_at")
            values = (*values, now if move.last.tracked.final else None)
        rows.setdefault(names, []).append((*values, now, *move.where))
    return sum(
        bulk.update(connection, transactions, (*names, "updated_at"), _WHERE, some)
        for names, some in rows.items()
    )


def _count_on(connection: Connection, more: int) -> int:
    """Reserve the next positions, and return the first of them."""
    last = connection.execute(_COUNT_ON, {"more": more}).scalar()
    if last is None:
        connection.execute(insert(counters), {"name": "events", "value": more})
        last = more
    return last - more + 1
