"""What a service calls the states of its transactions."""

import logging
from collections.abc import Mapping
from typing import Any

from transaction_tracker.domain import STATES, State
from transaction_tracker.sources.errors import MalformedError
from transaction_tracker.sources.http_polling.redaction import Redact

# The states that need no blocks, no rivals and no user.
REPORTABLE: tuple[State, ...] = (
    "pending",
    "missing",
    "confirmed",
    "failed",
    "dropped",
    "expired",
    "invalid",
    "reversed",
)

_LONGEST_WORD = 100
# A service can make up words for ever, and each is a line of the log.
_MOST_WARNINGS = 50

logger = logging.getLogger("transaction_tracker")


class Words:
    """A service's words for states, in ours.

    Args:
        states: Each word and the state that it stands for; ``None`` for a word that is known and
            says nothing.
        redact: What takes our keys out of what the service says.

    Attributes:
        unknown: How many answers had a word that is not among them.

    Raises:
        ValueError: They cannot be; the message says which, and why.
    """

    def __init__(self, states: Mapping[str, State | None], redact: Redact) -> None:
        if not isinstance(states, Mapping):
            raise ValueError(f"words must be a mapping of words to states, got {states!r}")
        for word, state in states.items():
            _check_word(word)
            if state is not None:
                check_state(f"words[{word!r}]", state)
        if "confirmed" not in states.values():
            raise ValueError("words must have one for 'confirmed': nothing could end well else")
        self._states = dict(states)
        self._redact = redact
        self._warned: set[str] = set()
        self.unknown = 0

    @property
    def strange(self) -> tuple[str, ...]:
        """The words that were met and are not among them, without keys, cut where they are long."""
        return tuple(sorted(self._warned))

    def __contains__(self, state: State) -> bool:
        return state in self._states.values()

    def state(self, value: Any) -> State | None:
        """Give the state that a word stands for; ``None`` when that says nothing.

        Raises:
            MalformedError: It is no word.
        """
        if value is None:
            return None
        word = _word(value)
        if word in self._states:
            return self._states[word]
        self._miss(word)
        return None

    def _miss(self, word: str) -> None:
        self.unknown += 1
        # Before it is cut: the first half of a key is no longer known for one.
        shown = self._redact(word)[:_LONGEST_WORD]
        if shown in self._warned or len(self._warned) >= _MOST_WARNINGS:
            return
        self._warned.add(shown)
        logger.warning(
            "the source says %r of a transaction, which is no fact: add it to the words", shown
        )


def check_state(option: str, state: object) -> None:
    """Refuse a state that no service can report."""
    if state in REPORTABLE:
        return
    why = f": {state} is none that a service can report" if state in STATES else ""
    raise ValueError(f"{option} must be one of {REPORTABLE} or None, got {state!r}{why}")


def _check_word(word: object) -> None:
    if not isinstance(word, str) or not 0 < len(word) <= _LONGEST_WORD:
        raise ValueError(
            f"words must have keys of 1 to {_LONGEST_WORD} characters, as the service writes "
            f"them (true, false and numbers too), got {word!r}"
        )


def _word(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    raise MalformedError(f"the status must be a word, got a value of type {type(value).__name__}")
