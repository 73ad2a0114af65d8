"""Revert reason of a transaction, from a receipt or from the error of a call."""

import re
from collections.abc import Iterator
from typing import Any

from transaction_tracker.sources.errors import ApplicationError
from transaction_tracker.sources.ethereum.revert_data import ErrorTable, explain

MAX_REASON_LENGTH = 500
_MAX_DEPTH = 5
# Code for a revert of geth and most other nodes, and code of nodes that descend from Parity.
_REVERT_CODES = (3, -32015)
_NO_ERRORS = ErrorTable()

# Parity and Nethermind send the returned bytes as text: "Reverted 0x08c379a0…".
_RETURNED = re.compile(r"(?:reverted\s+)?(0x[0-9a-f]*)", re.IGNORECASE)
_REVERTED_TEXT = re.compile(r"reverted\s+(.+)", re.IGNORECASE | re.DOTALL)
# Keys of ``data`` that can hold the returned bytes, or another error with them.
_NESTED_KEYS = ("data", "result", "return", "output", "originalError", "error")

# Forms of the reason in error messages, the most exact form first. An empty group means that
# there is no reason.
_MESSAGES = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        r"reverted without a reason()",
        r"reverted with reason string '(.*)'",
        r"reverted with (?:an unrecognized )?(custom error .*)",
        r"reverted with (panic code .*)",
        r"revert opcode executed()",
        r"revert reason=\[(.*?)\]",
        r"execution reverted\s*\((.*)\)",
        r"(?:execution reverted|processing transaction: revert)(?:\s*:\s*|\s+|$)(.*)",
    )
)


def of_call(answer: object, errors: ErrorTable | None = None) -> str | None:
    """Return why an ``eth_call`` reverted; ``None`` if it did not revert, or without a reason.

    Errors about state, methods, funds or gas are not about the transaction, so they are not
    reasons.

    Args:
        answer: Result of the call. For a call that reverts, nodes send an error object.
        errors: Known custom errors.
    """
    if not isinstance(answer, ApplicationError):
        return None
    error_data = getattr(answer, "data", None)
    if not _is_revert(answer, error_data):
        return None
    errors = errors or _NO_ERRORS
    returned = _returned(error_data)
    if returned:
        return _short(explain(returned, errors))
    # Nodes that send no ``data`` can still have the reason in the message.
    return _short(_from_message(answer.source_message, errors) or _from_text(error_data))


def of_receipt(value: object, errors: ErrorTable | None = None) -> str | None:
    """Return the reason in a receipt's ``revertReason``, a field that only some nodes send."""
    if not isinstance(value, str) or not value:
        return None
    returned = _bytes(value)
    return _short(value if returned is None else explain(returned, errors or _NO_ERRORS))


def _is_revert(answer: ApplicationError, error_data: object) -> bool:
    if answer.code in _REVERT_CODES or "revert" in answer.source_message.lower():
        return True
    return isinstance(error_data, str) and error_data.lower().startswith("reverted")


def _returned(error_data: object) -> bytes | None:
    return next(_all_returned(error_data, _MAX_DEPTH), None)


def _all_returned(value: Any, depth: int) -> Iterator[bytes]:
    """Yield the returned bytes in an error's ``data``, also from nested objects."""
    if isinstance(value, str):
        found = _bytes(value)
        if found is not None:
            yield found
    elif isinstance(value, dict) and depth:
        for key in _NESTED_KEYS:
            yield from _all_returned(value.get(key), depth - 1)
        # Ganache before version 7 nests the data in an object whose key is the transaction hash.
        for key, nested in value.items():
            if isinstance(nested, dict) and key not in _NESTED_KEYS:
                yield from _all_returned(nested, depth - 1)


def _bytes(text: str) -> bytes | None:
    found = _RETURNED.fullmatch(text.strip())
    try:
        return None if found is None else bytes.fromhex(found[1][2:])
    except ValueError:
        return None


def _from_message(message: str, errors: ErrorTable) -> str | None:
    for pattern in _MESSAGES:
        found = pattern.search(message)
        if found is not None:
            reason = found[1].strip()
            returned = _bytes(reason)
            return reason if returned is None else explain(returned, errors)
    return None


def _from_text(error_data: object) -> str | None:
    found = _REVERTED_TEXT.fullmatch(error_data) if isinstance(error_data, str) else None
    return None if found is None or _bytes(found[1]) is not None else found[1].strip()


def _short(reason: str | None) -> str | None:
    # A contract can return NUL, which not every database can store. Other control characters stay:
    # they are replaced where a reason is printed.
    return reason[:MAX_REASON_LENGTH].replace("\0", "\ufffd") or None if reason else None
