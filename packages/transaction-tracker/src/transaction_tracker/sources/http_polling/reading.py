"""Read the state of one transaction from a response."""

from typing import Any

from transaction_tracker.domain import Reported
from transaction_tracker.sources.errors import MalformedError
from transaction_tracker.sources.http_polling.jsonpath import NOWHERE, JsonPath
from transaction_tracker.sources.http_polling.redaction import Redact
from transaction_tracker.sources.http_polling.words import Words
from transaction_tracker.sources.polled import BAD_ENDS

_MAX_REASON_CHARACTERS = 500


class StateReader:
    """Reads a transaction's state from JSON.

    Args:
        words: The service's status words.
        status: Path to the status.
        error: Path to the reason of a failure.
        redact: Removes secrets from the reason, which is stored and sent to all receivers.
    """

    def __init__(
        self, words: Words, status: JsonPath, error: JsonPath | None, redact: Redact
    ) -> None:
        self._words = words
        self._status = status
        self._error = error
        self._redact = redact

    def read(self, response: Any) -> Reported | None:
        """Return the reported state; ``None`` if the status is null, unknown or changes nothing.

        Raises:
            MalformedError: The response has no status.
        """
        value = self._status.find(response)
        if value is NOWHERE:
            raise MalformedError(f"the response has no {self._status}")
        state = self._words.state(value)
        if state is None:
            return None
        return Reported(state, self._reason(response) if state in BAD_ENDS else None)

    def _reason(self, response: Any) -> str | None:
        value = None if self._error is None else self._error.find(response)
        if not isinstance(value, str | int) or isinstance(value, bool):
            return None
        # Redacted before it is shortened: a part of a secret would not be recognized.
        text = self._redact(str(value))[:_MAX_REASON_CHARACTERS]
        return "".join(letter if letter.isprintable() else " " for letter in text)


def identity(path: JsonPath, item: Any) -> str | None:
    """Return the transaction id at a path, or ``None``."""
    value = path.find(item)
    if isinstance(value, str) or type(value) is int:
        return str(value)
    return None


def items(path: JsonPath, response: Any) -> list[Any]:
    """Return the list at a path, or raise ``MalformedError``."""
    value = path.find(response)
    if not isinstance(value, list):
        raise MalformedError(f"the response's {path} must be a list")
    return value
