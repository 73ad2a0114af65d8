"""Paths to one value in a JSON response."""

import re
from dataclasses import dataclass
from typing import Any

_STEP = re.compile(r"\.([^.\[\]\s\"'*?@$()]+)|\[([0-9]{1,6})\]")
_STEPS = re.compile(f"(?:{_STEP.pattern})*")
_MAX_PATH_CHARACTERS = 200
_SHAPE = "must be a path such as data.transfers[0].status, or $ for the whole response"


class Nowhere:
    """Type of ``NOWHERE``; ``None`` cannot mark a missing value, since JSON has null."""


NOWHERE = Nowhere()


@dataclass(frozen=True, slots=True)
class JsonPath:
    """A path of keys and indexes; matches at most one value.

    Attributes:
        text: The path as it was written.
        steps: Keys and indexes, from the outermost on.

    Source:
        RFC 9535, "JSONPath": of its singular queries, those with plain names and indexes from 0.
    """

    text: str
    steps: tuple[str | int, ...]

    @classmethod
    def parse(cls, text: str, option: str) -> "JsonPath":
        """Parse a path.

        Args:
            text: Keys separated by dots, indexes in brackets, optionally after ``$``.
            option: Name of the option, for the error.

        Raises:
            ValueError: The text is not a valid path.
        """
        usable = isinstance(text, str) and 0 < len(text) <= _MAX_PATH_CHARACTERS
        rest = _after_root(text) if usable else "?"
        if _STEPS.fullmatch(rest) is None:
            raise ValueError(f"{option} {_SHAPE}, got {text!r}")
        found = _STEP.findall(rest)
        return cls(text, tuple(key or int(index) for key, index in found))

    def find(self, response: Any) -> Any:
        """Return the value at this path, or ``NOWHERE``."""
        value = response
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
    """Return the path in the form that follows ``$``."""
    if text.startswith("$"):
        return text[1:]
    return text if text.startswith("[") else f".{text}"
