"""Problems of a configuration: the key, the expected and the actual value, and the place."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from transaction_tracker.domain import TrackerError

_MAX_SHOWN_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a configuration.

    Attributes:
        key: Option, such as ``web.port``; empty if the problem is not about one option.
        message: The expected and the actual value. Contains no secret.
        where: File and line, environment variable or flag with the value.
    """

    key: str
    message: str
    where: str

    def __str__(self) -> str:
        text = " ".join(filter(None, [self.key, self.message]))
        return f"{text} ({self.where})" if self.where else text


class ConfigurationError(TrackerError):
    """The configuration is invalid.

    Attributes:
        problems: All problems, not only the first one.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, self.problems)))


def unknown(key: str, name: str, known: Sequence[str], where: str) -> Problem:
    """Return the problem of an unknown key, with the most similar known key."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known options: {', '.join(sorted(known))}"
    return Problem(key, f"is an unknown option; {hint}", where)


def shown(value: object) -> str:
    """Format a value for a message: shortened, and only the type of a table or a list."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list"
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN_CHARACTERS else f"{text[:_MAX_SHOWN_CHARACTERS]}…"
