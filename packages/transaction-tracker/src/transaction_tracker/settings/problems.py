"""What is wrong with a configuration: which key, what was expected, what came, and where."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from transaction_tracker.domain import TrackerError

_LONGEST_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        key: The option, such as ``web.port``; empty when it is no option's fault.
        says: What was expected, and what came instead. Holds no secret.
        where: The file and line, the variable or the flag that it stands in.
    """

    key: str
    says: str
    where: str

    def __str__(self) -> str:
        text = " ".join(filter(None, [self.key, self.says]))
        return f"{text} ({self.where})" if self.where else text


class ConfigurationError(TrackerError):
    """The configuration cannot be used.

    Attributes:
        problems: All that is wrong, not only the first.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, self.problems)))


def unknown(key: str, name: str, known: Sequence[str], where: str) -> Problem:
    """Say that there is no such key, and which one was meant."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
    return Problem(key, f"is no option; {hint}", where)


def shown(value: object) -> str:
    """Show a value that came, cut where it gets long; of a table or list only its kind."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list"
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
