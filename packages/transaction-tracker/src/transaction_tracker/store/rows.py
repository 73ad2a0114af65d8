"""Convert between values and rows, which are tuples in the order of the column names here.

A block can change ten thousand rows, and a start loads a million, so no row becomes a dict.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import orjson

from transaction_tracker.domain import (
    FLAGS,
    REASONS,
    STATES,
    TAGS,
    BlockRef,
    Event,
    FeeScope,
    Flag,
    Outcome,
    Reason,
    Required,
    RequiredBy,
    Rule,
    Sighting,
    State,
    Tag,
    Tracked,
    chain_of,
)

TRACKED_COLUMNS = (
    "id",
    "required",
    "state",
    "version",
    "slots",
    "content",
    "block_number",
    "block_hash",
    "succeeded",
    "fee",
    "failure",
    "superseded_by",
    "reason",
    "error",
    "deadline",
    "waiting_since",
    "missing_height",
    "missing_time",
    "max_fee",
    "flags",
    "fee_scope",
    "gas_used",
    "effects",
    "revision",
    "hash",
    "required_by",
)
# What `read_tracked` reads. The source of a transaction never changes.
READ_COLUMNS = (*TRACKED_COLUMNS, "source")
EVENT_COLUMNS = (
    "transaction_id",
    "version",
    "previous",
    "state",
    "block_number",
    "block_hash",
    "succeeded",
    "fee",
    "failure",
    "superseded_by",
    "reason",
    "flags",
    "fee_scope",
    "gas_used",
    "effects",
    "required",
    "slots",
    "content",
    "deadline",
    "hash",
)

# Texts of nodes and exceptions are cut off at this length.
_MAX_TEXT_CHARACTERS = 2_000

# Share one object per value among all rows.
STATE_VALUES: dict[str, State] = {state: state for state in STATES}
REASON_VALUES: dict[str | None, Reason | None] = {None: None, **{name: name for name in REASONS}}
_FLAGS: dict[str, Flag] = {flag: flag for flag in FLAGS}
_TAGS: dict[str, Tag] = {str(tag): tag for tag in TAGS}


def tracked_values(tracked: Tracked) -> tuple[Any, ...]:
    """Convert a transaction to a row."""
    anchor, outcome, missing = tracked.anchor, tracked.outcome, tracked.missing_since
    return (
        tracked.key,
        str(tracked.required),
        tracked.state,
        tracked.version,
        slots_text(tracked.slots),
        tracked.content,
        None if anchor is None else anchor.number,
        None if anchor is None else anchor.hash,
        *_outcome_values(outcome),
        tracked.superseded_by,
        tracked.reason,
        clean(tracked.error),
        tracked.deadline,
        tracked.waiting_since,
        None if missing is None else missing.height,
        None if missing is None else missing.time,
        None if tracked.max_fee is None else str(tracked.max_fee),
        flags_text(tracked.flags),
        *_receipt_values(outcome),
        tracked.revision,
        tracked.hash,
        required_by_text(tracked.required_by),
    )


def event_values(event: Event) -> tuple[Any, ...]:
    """Convert an event to a row without position, time, metadata and details."""
    tracked = event.tracked
    anchor = tracked.anchor
    return (
        tracked.key,
        tracked.version,
        event.previous,
        tracked.state,
        None if anchor is None else anchor.number,
        None if anchor is None else anchor.hash,
        *_outcome_values(tracked.outcome),
        tracked.superseded_by,
        tracked.reason,
        flags_text(tracked.flags),
        *_receipt_values(tracked.outcome),
        str(tracked.required),
        slots_text(tracked.slots),
        tracked.content,
        tracked.deadline,
        tracked.hash,
    )


def read_tracked(rows: Iterable[Sequence[Any]]) -> Iterator[Tracked]:
    """Convert rows of ``READ_COLUMNS`` to transactions; those of one block share its reference."""
    anchors: dict[str, BlockRef] = {}
    for row in rows:
        number, block = row[6], row[7]
        anchor = anchors.get(block)
        if block is not None and (anchor is None or anchor.number != number):
            anchor = anchors[block] = BlockRef(number, block)
        source = _shared(row[26])
        transaction, given = local_and_given(source, row[0])
        yield Tracked(
            transaction,
            required(row[1]),
            STATE_VALUES[row[2]],
            row[3],
            slots(row[4]),
            row[5],
            anchor,
            outcome(row[8], row[9], row[10], *row[20:23]),
            row[11],
            REASON_VALUES[row[12]],
            row[13],
            row[14],
            row[15],
            None if row[16] is None else Sighting(row[16], row[17]),
            None if row[18] is None else int(row[18]),
            flags(row[19]),
            row[23],
            row[24],
            source,
            given,
            required_by(row[25]),
        )


def local_and_given(source: str, key: str) -> tuple[str, str | None]:
    """Return a transaction's id at its source, and the id in the database if it is another one."""
    prefix = _prefix(source)
    if prefix and key.startswith(prefix):
        return key[len(prefix) :], key
    return key, None


# A start converts a million ids.
@lru_cache(maxsize=64)
def _prefix(source: str) -> str:
    """Return what an id has before it if it has the chain id of its source."""
    return f"{chain_of(source)}:" if source else ""


@lru_cache(maxsize=64)
def _shared(source: str) -> str:
    """Return one object for all equal names: a million transactions have one each."""
    return source


def clean(text: str | None) -> str | None:
    """Make an external text storable: no NUL, no lone surrogates, limited length."""
    if text is None:
        return None
    whole = text[:_MAX_TEXT_CHARACTERS].encode("utf-8", "replace").decode()
    return whole.replace("\0", "\N{REPLACEMENT CHARACTER}")


@lru_cache(maxsize=64)
def flags_text(flags: frozenset[Flag]) -> str:
    """Convert flags to words separated by commas, always in the same order."""
    return ",".join(sorted(flags))


@lru_cache(maxsize=64)
def flags(text: str) -> frozenset[Flag]:
    """Parse flags."""
    return frozenset(_FLAGS[word] for word in text.split(",") if word)


def slots_text(slots: tuple[str, ...]) -> str | None:
    """Convert slots to a JSON list; ``None`` without slots."""
    return orjson.dumps(slots).decode() if slots else None


def slots(text: str | None) -> tuple[str, ...]:
    """Parse slots."""
    return () if text is None else tuple(orjson.loads(text))


@lru_cache(maxsize=256)
def required(text: str) -> Required:
    """Parse a requirement."""
    return _TAGS.get(text) or int(text)


@lru_cache(maxsize=256)
def required_by_text(chosen: RequiredBy) -> str | None:
    """Convert who chose a requirement: ``None`` for the user, and a rule to JSON."""
    if isinstance(chosen, Rule):
        value = {"token": chosen.token, "value": str(chosen.value), "required": chosen.required}
        return orjson.dumps(value).decode()
    return None if chosen == "request" else chosen


@lru_cache(maxsize=256)
def required_by(text: str | None) -> RequiredBy:
    """Parse who chose a requirement."""
    if text is None:
        return "request"
    if text == "setting":
        return "setting"
    value = orjson.loads(text)
    return Rule(value["required"], int(value["value"]), value["token"])


def _outcome_values(outcome: Outcome | None) -> tuple[bool | None, str | None, str | None]:
    if outcome is None:
        return None, None, None
    fee = None if outcome.fee is None else str(outcome.fee)
    return outcome.succeeded, fee, clean(outcome.error)


def _receipt_values(outcome: Outcome | None) -> tuple[str | None, int | None, str | None]:
    if outcome is None:
        return None, None, None
    return outcome.fee_scope, outcome.gas_used, outcome.effects


def outcome(
    succeeded: bool | None,
    fee: str | None,
    failure: str | None,
    scope: str | None,
    gas_used: int | None,
    effects: str | None,
) -> Outcome | None:
    """Convert columns to the result of a transaction; ``None`` where it is unknown."""
    if succeeded is None:
        return None
    amount = None if fee is None else int(fee)
    # Versions that stored no scope counted the fee of the execution alone.
    known_scope: FeeScope = "total" if scope == "total" else "execution"
    return Outcome(bool(succeeded), amount, failure, known_scope, gas_used, effects)
