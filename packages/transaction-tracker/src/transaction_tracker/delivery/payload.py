"""Id and body of a webhook."""

from datetime import UTC, datetime
from urllib.parse import quote

import orjson

from transaction_tracker.delivery.views import TransitionView
from transaction_tracker.domain import Event
from transaction_tracker.store.feed import EventRecord

TEST_TYPE = "transaction_tracker.test"

# Characters of transaction ids that are valid in a header. Other characters, which banks' ids can
# contain, are percent-encoded.
_SAFE = ":@!$*+=~"


def message_id(event: Event) -> str:
    """Return the ``webhook-id`` of an event, ``transaction:version``: the same at each attempt."""
    return quote(event.id, safe=_SAFE)


def body(entry: EventRecord) -> bytes:
    """Return an event as JSON, with the whole transaction as it was after the event.

    ``type`` is ``transaction.`` and the state; ``timestamp`` is the time of recording; ``data`` is
    a `TransitionView`.

    Source:
        Standard Webhooks 1.0, "Payload structure".
    """
    state = entry.event.tracked.state
    return message(f"transaction.{state}", entry.recorded_at, TransitionView.of(entry))


def test_body(endpoint: str, now: float) -> bytes:
    """Return the body of a test message."""
    return message(TEST_TYPE, now, {"endpoint": endpoint})


def message(kind: str, moment: float, content: object) -> bytes:
    """Return a message as JSON.

    Args:
        kind: The ``type``.
        moment: The ``timestamp``, in Unix seconds.
        content: The ``data``.

    Source:
        Standard Webhooks 1.0, "Payload structure".
    """
    return orjson.dumps({"type": kind, "timestamp": timestamp(moment), "data": content})


def timestamp(moment: float) -> str:
    """Return Unix seconds as a time in UTC, with milliseconds.

    Source:
        RFC 3339.
    """
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
