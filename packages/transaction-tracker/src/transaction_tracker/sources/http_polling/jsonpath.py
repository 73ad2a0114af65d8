"""Where in a JSON answer a value stands: one place, named by a path."""

import re
from dataclasses import dataclass
from typing import Any

_STEP = re.compile(r"\.([^.\[\]\s\"'*?@$()]+)|\[([0-9]{1,6})\]")
_STEPS = re.compile(f"(?:{_STEP.pattern})*")
_LONGEST = 200
_SHAPE = "must be a path such as data.transfers[0].status, or $ for the whole answer"


class Nowhere:
    """Stands for the value of a path that leads nowhere; ``None`` is a value of JSON."""


NOWHERE = Nowhere()


@dataclass(frozen=True, slots=True)
class JsonPath:
    """A path of keys and indexes; it names one place, and never several.

    Attributes:
        text: As it is written.
        steps: The keys and indexes, from the outermost on.

    Source:
        RFC 9535, "JSONPath": of its singular queries, those with plain names and indexes from 0.
    """

    text: str
    steps: tuple[str | int, ...]

    @classmethod
    def parse(cls, text: str, option: str) -> "JsonPath":
        """Read a path.

        Args:
            text: Keys with dots between them, indexes in brackets; ``$`` may stand before it.
            option: What it was given as, for the error.

        Raises:
            ValueError: It is no such path.
        """
        usable = isinstance(text, str) and 0 < len(text) <= _LONGEST
        rest = _after_root(text) if usable else "?"
        if _STEPS.fullmatch(rest) is None:
            raise ValueError(f"{option} {_SHAPE}, got {text!r}")
        found = _STEP.findall(rest)
        return cls(text, tuple(key or int(index) for key, index in found))

    def find(self, answer: Any) -> Any:
        """Give the value at this place, or ``NOWHERE``."""
        value = answer
        for step in self.steps:
            if isinstance(step, str):
                value = value.get(step, NOWHERE) if isinstance(value, dict) else NOWHERE
            elif isinstance(value, list) and step < len(value):
                value = value[step]
            else:
                return NOWHERE
        return value

    def __str__(self) -> str:
        return self.text


def _after_root(text: str) -> str:
    """Write a path as it would go on after ``$``."""
    if text.startswith("$"):
        return text[1:]
    return text if text.startswith("[") else f".{text}"
