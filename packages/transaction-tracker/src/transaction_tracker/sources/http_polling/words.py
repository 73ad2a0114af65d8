"""Map the status words of a service to states."""

import logging
from collections.abc import Mapping
from typing import Any, Literal, get_args

from transaction_tracker.domain import STATES, State
from transaction_tracker.sources.errors import MalformedError
from transaction_tracker.sources.http_polling.redaction import Redact

# What a word of a service can mean: a state that a service can report, or nothing, because TOML has
# no null. The other states follow from blocks, competing transactions or users.
Meaning = Literal[
    "pending",
    "missing",
    "confirmed",
    "failed",
    "dropped",
    "expired",
    "invalid",
    "reversed",
    "nothing",
]
*_REPORTED, _NOTHING = get_args(Meaning)
REPORTABLE: tuple[State, ...] = tuple(_REPORTED)

MAX_WORD_CHARACTERS = 100
# Each unknown word is logged once. Without this limit, a service that sends ever new words could
# fill the log and the memory.
_MAX_WARNINGS = 50

logger: logging.Logger = logging.getLogger("transaction_tracker")


class Words:
    """The status words of a service, and the states that they mean.

    Args:
        states: The state for each word; ``None`` for a known word that changes nothing.
        redact: Removes secrets from a text of the service.

    Raises:
        ValueError: A word or a state is invalid; the message names it.
    """

    def __init__(self, states: Mapping[str, State | None], redact: Redact) -> None:
        if not isinstance(states, Mapping):
            raise ValueError(f"words must be a mapping of words to states, got {states!r}")
        for word, state in states.items():
            _check_word(word)
            if state is not None:
                check_state(f"words[{word!r}]", state)
        if "confirmed" not in states.values():
            raise ValueError(
                "words must map a word to 'confirmed': otherwise no transaction could succeed"
            )
        self._states = dict(states)
        self._redact = redact
        self._logged: set[str] = set()

    @property
    def unknown(self) -> tuple[str, ...]:
        """Unknown words so far, without secrets and shortened; at most 50."""
        return tuple(sorted(self._logged))

    def __contains__(self, state: State) -> bool:
        return state in self._states.values()

    def state(self, value: Any) -> State | None:
        """Return the state that a word means; ``None`` if the word is unknown or changes nothing.

        Raises:
            MalformedError: The value is not a word.
        """
        if value is None:
            return None
        word = _word(value)
        if word in self._states:
            return self._states[word]
        self._keep_unknown(word)
        return None

    def _keep_unknown(self, word: str) -> None:
        # Redacted before it is shortened: a part of a secret would not be recognized.
        shown = self._redact(word)[:MAX_WORD_CHARACTERS]
        if shown in self._logged or len(self._logged) >= _MAX_WARNINGS:
            return
        self._logged.add(shown)
        logger.warning("the source sent the unknown status %r; add it to words", shown)


def check_state(option: str, state: object) -> None:
    """Raise ``ValueError`` unless a service can report the state."""
    if state in REPORTABLE:
        return
    why = f": a service cannot report {state}" if state in STATES else ""
    raise ValueError(f"{option} must be one of {REPORTABLE} or None, got {state!r}{why}")


def _check_word(word: object) -> None:
    if not isinstance(word, str) or not 0 < len(word) <= MAX_WORD_CHARACTERS:
        raise ValueError(
            f"words must have keys of 1 to {MAX_WORD_CHARACTERS} characters, as the service "
            f"writes them (true, false and numbers too), got {word!r}"
        )


def _word(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    raise MalformedError(f"the status must be a word, got a value of type {type(value).__name__}")
