"""What a webhook says: the body that endpoints get."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import orjson

from transaction_tracker.domain import Event, Outcome
from transaction_tracker.store.feed import Entry

TEST_TYPE = "transaction_tracker.test"

# Names of transactions at banks may hold anything; a header may not.
_SAFE = ":@!$*+=~"


def message_id(event: Event) -> str:
    """Name an event as its ``webhook-id``: the same for each attempt, ``transaction:version``."""
    return quote(event.id, safe=_SAFE)


def body(entry: Entry) -> bytes:
    """Write an event as JSON: the whole transaction as it was after it.

    ``type`` is ``transaction.`` and the state; ``timestamp`` the time of recording. ``data``
    holds ``id``, ``version``, ``state``, ``previous``, ``block`` (``number``, ``hash``),
    ``outcome`` (``succeeded``, ``fee`` as decimal text in the chain's smallest unit,
    ``fee_scope``, ``error``), ``superseded_by``, ``reason``, ``flags`` and ``metadata``; what
    does not apply is null. An event whose ``previous`` is its ``state`` tells of changed flags.

    Source:
        Standard Webhooks 1.0, "Payload structure".
    """
    state = entry.event.tracked.state
    return _message(f"transaction.{state}", entry.recorded_at, data(entry))


def test_body(endpoint: str, now: float) -> bytes:
    """Write the message that only shows whether messages arrive."""
    return _message(TEST_TYPE, now, {"endpoint": endpoint})


def data(entry: Entry) -> dict[str, Any]:
    """Give the transaction as it was after an event, in values that JSON knows."""
    event = entry.event
    tracked = event.tracked
    block = tracked.anchor
    return {
        "id": tracked.id,
        "version": tracked.version,
        "state": tracked.state,
        "previous": event.previous,
        "block": None if block is None else {"number": block.number, "hash": block.hash},
        "outcome": None if tracked.outcome is None else _outcome(tracked.outcome),
        "superseded_by": tracked.superseded_by,
        "reason": tracked.reason,
        "flags": sorted(tracked.flags),
        "metadata": orjson.Fragment(entry.metadata),
    }


def _outcome(outcome: Outcome) -> dict[str, Any]:
    # A fee in wei is larger than what many readers of JSON keep of a number.
    fee = None if outcome.fee is None else str(outcome.fee)
    scope = None if outcome.fee is None else outcome.fee_scope
    error = outcome.error
    return {"succeeded": outcome.succeeded, "fee": fee, "fee_scope": scope, "error": error}


def _message(kind: str, moment: float, content: dict[str, Any]) -> bytes:
    timestamp = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    message = {"type": kind, "timestamp": timestamp.replace("+00:00", "Z"), "data": content}
    return orjson.dumps(message)
