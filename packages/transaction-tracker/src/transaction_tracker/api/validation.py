"""Describe the errors of pydantic in words that a user of the API understands."""

from collections.abc import Mapping
from typing import Any

from transaction_tracker.api import cursors
from transaction_tracker.domain.webhook_endpoint import (
    ID_PATTERN,
    MAX_SECRET_BYTES,
    MIN_SECRET_BYTES,
    PREFIX,
    SECRET_PATTERN,
)

LABEL_PATTERN = r"^[\x20-\x7e]+$"
# PostgreSQL cannot compare text with the character NUL.
SEARCH_PATTERN = r"^[^\x00]*$"

# What a text must be, by the pattern that it must match. A pattern itself explains nothing.
FORMS = {
    cursors.ADDRESS_PATTERN: "must be the next of a previous page",
    cursors.TRANSACTION_PATTERN: "must be the next of a previous page",
    cursors.EVENT_PATTERN: "must be the cursor of an event, such as e42",
    cursors.ATTEMPT_PATTERN: "must be the next of a previous page, such as a42",
    SECRET_PATTERN: f"must be {PREFIX} and {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} bytes in "
    "base64",
    ID_PATTERN: "must be ep_ and 24 hexadecimal digits, such as the id of an endpoint",
    SEARCH_PATTERN: "must not contain the character NUL",
    LABEL_PATTERN: "must have only printable ASCII characters",
}


def described(error: Mapping[str, Any]) -> str:
    """Return the message of an error of pydantic, without the value, which can be secret."""
    context = error.get("ctx", {})
    match error["type"]:
        case "string_pattern_mismatch":
            return FORMS[context["pattern"]]
        case "value_error":  # pydantic's message begins with "Value error, "
            return str(context["error"])
        case _:
            return str(error["msg"])
