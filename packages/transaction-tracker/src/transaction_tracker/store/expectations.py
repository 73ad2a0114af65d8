"""Expectations as JSON: what was registered, and whether the transaction is that payment."""

from typing import Any

import orjson

from transaction_tracker.domain import Details, Difference, Event, Expectation, State, compare
from transaction_tracker.store.details import is_cut_off
from transaction_tracker.store.details import read as read_details

_NAMES = {
    "from": "sender",
    "to": "recipient",
    "value": "value",
    "min_value": "min_value",
    "token": "token",
}
_AMOUNTS = frozenset(("value", "min_value"))


def changed(expectation: Expectation | None, state: State, details: str | None) -> str | None:
    """Return a new expectation of a known transaction as JSON, compared with what is known of it.

    Args:
        expectation: The expectation; ``None`` if nothing is expected.
        state: State of the transaction.
        details: Its details, as JSON. Of a long list, only the first transfers are stored, so
            whether a payment of a token matches stays unknown.
    """
    if expectation is None:
        return None
    found = read_details(details)
    if is_cut_off(details):
        found = Details(found.payment)
    return _text(expectation, *compare(expectation, state, found))


def after(known: str | None, event: Event, details: str | None) -> str | None:
    """Return the expectation after an event, as JSON.

    Args:
        known: The expectation before it; ``None`` if nothing is expected.
        event: The event.
        details: The details after it, as JSON.
    """
    if known is None:
        return None
    found = read_details(details)
    if event.details.execution is not None:
        # All its transfers: of a long list, only the first ones are stored.
        found = Details(found.payment, event.details.execution)
    elif is_cut_off(details):
        found = Details(found.payment)
    expectation = read(known)
    matches, differences = compare(expectation, event.tracked.state, found)
    if matches is None and is_cut_off(details):
        return known  # the answer of the event that had all transfers
    return _text(expectation, matches, differences)


def read(text: str) -> Expectation:
    """Parse an expectation."""
    fields = orjson.loads(text)["expected"]
    given: dict[str, Any] = {ours: fields[name] for name, ours in _NAMES.items()}
    amounts: dict[str, Any] = {
        name: int(given[name]) for name in _AMOUNTS if given[name] is not None
    }
    return Expectation(**given | amounts)


def read_comparison(text: str | None) -> tuple[bool | None, tuple[Difference, ...]]:
    """Parse whether a transaction is the expected payment, and the differences."""
    if text is None:
        return None, ()
    fields = orjson.loads(text)
    return fields["matches"], tuple(Difference(**each) for each in fields["differences"])


def _text(
    expectation: Expectation, matches: bool | None, differences: tuple[Difference, ...]
) -> str:
    expected = {name: getattr(expectation, ours) for name, ours in _NAMES.items()}
    amounts = {name: str(expected[name]) for name in _AMOUNTS if expected[name] is not None}
    content: dict[str, Any] = {
        "expected": expected | amounts,
        "matches": matches,
        # A dataclass is written with its fields.
        "differences": differences,
    }
    return orjson.dumps(content).decode()
