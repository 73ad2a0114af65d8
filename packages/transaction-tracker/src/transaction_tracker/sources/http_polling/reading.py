"""What an answer says of one transaction."""

from typing import Any

from transaction_tracker.domain import Reported
from transaction_tracker.sources.errors import MalformedError
from transaction_tracker.sources.http_polling.jsonpath import NOWHERE, JsonPath
from transaction_tracker.sources.http_polling.redaction import Redact
from transaction_tracker.sources.http_polling.words import Words
from transaction_tracker.sources.polled import BAD_ENDS

_LONGEST_REASON = 500


class Reader:
    """Reads a transaction's state out of JSON.

    Args:
        words: What the service calls our states.
        status: Where the state stands.
        error: Where the reason of a failure stands.
        redact: What takes our keys out of such a reason: it is kept, and told to everyone.
    """

    def __init__(
        self, words: Words, status: JsonPath, error: JsonPath | None, redact: Redact
    ) -> None:
        self._words = words
        self._status = status
        self._error = error
        self._redact = redact

    def read(self, answer: Any) -> Reported | None:
        """Give the fact; ``None`` where the status is null, unknown or says nothing.

        Raises:
            MalformedError: There is no status.
        """
        value = self._status.find(answer)
        if value is NOWHERE:
            raise MalformedError(f"the answer has no {self._status}")
        state = self._words.state(value)
        if state is None:
            return None
        return Reported(state, self._reason(answer) if state in BAD_ENDS else None)

    def _reason(self, answer: Any) -> str | None:
        value = None if self._error is None else self._error.find(answer)
        if not isinstance(value, str | int) or isinstance(value, bool):
            return None
        # Before it is cut: the first half of a key is no longer known for one.
        text = self._redact(str(value))[:_LONGEST_REASON]
        return "".join(letter if letter.isprintable() else " " for letter in text)


def identity(path: JsonPath, item: Any) -> str | None:
    """Read the id of a transaction, if there is one."""
    value = path.find(item)
    if isinstance(value, str) or type(value) is int:
        return str(value)
    return None


def items(path: JsonPath, answer: Any) -> list[Any]:
    """Read a list."""
    value = path.find(answer)
    if not isinstance(value, list):
        raise MalformedError(f"the answer's {path} must be a list")
    return value
