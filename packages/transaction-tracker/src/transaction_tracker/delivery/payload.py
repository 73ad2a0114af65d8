"""Id and body of a webhook."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import orjson

from transaction_tracker.domain import Event, Outcome
from transaction_tracker.store.feed import Entry

TEST_TYPE = "transaction_tracker.test"

# Characters of transaction ids that are valid in a header. Other characters, which banks' ids can
# contain, are percent-encoded.
_SAFE = ":@!$*+=~"


def message_id(event: Event) -> str:
    """Return the ``webhook-id`` of an event, ``transaction:version``: the same at each attempt."""
    return quote(event.id, safe=_SAFE)


def body(entry: Entry) -> bytes:
    """Return an event as JSON, with the whole transaction as it was after the event.

    ``type`` is ``transaction.`` and the state; ``timestamp`` is the time of recording. ``data``
    contains ``id``, ``version``, ``state``, ``previous``, ``block`` (``number``, ``hash``),
    ``outcome`` (``succeeded``, ``fee`` as decimal text in the chain's smallest unit,
    ``fee_scope``, ``error``), ``superseded_by``, ``reason``, ``flags`` and ``metadata``; fields
    that do not apply are null. If ``previous`` equals ``state``, only the flags changed.

    Source:
        Standard Webhooks 1.0, "Payload structure".
    """
    state = entry.event.tracked.state
    return _message(f"transaction.{state}", entry.recorded_at, data(entry))


def test_body(endpoint: str, now: float) -> bytes:
    """Return the body of a test message."""
    return _message(TEST_TYPE, now, {"endpoint": endpoint})


def data(entry: Entry) -> dict[str, Any]:
    """Return the transaction as it was after an event, ready for ``orjson``."""
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
    # Decimal text: many JSON parsers read numbers as 64-bit floats, which cannot hold a fee in wei
    # exactly.
    fee = None if outcome.fee is None else str(outcome.fee)
    scope = None if outcome.fee is None else outcome.fee_scope
    error = outcome.error
    return {"succeeded": outcome.succeeded, "fee": fee, "fee_scope": scope, "error": error}


def _message(kind: str, moment: float, content: dict[str, Any]) -> bytes:
    timestamp = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    message = {"type": kind, "timestamp": timestamp.replace("+00:00", "Z"), "data": content}
    return orjson.dumps(message)
