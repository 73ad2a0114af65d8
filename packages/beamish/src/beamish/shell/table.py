"""Aligned rows of text.

When not to use it: for more rows than a screen shows; the views count omitted rows.
"""

from collections.abc import Sequence
from typing import Any

from beamish._diagnostics.brief import brief
from beamish.pid import Via

_MAX_VALUE_CHARACTERS = 60


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as lines with aligned columns."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def shown(value: Any) -> str:
    """Return the text of an id, a name or a label: strings unchanged, classes by name."""
    if isinstance(value, str):
        text = value if value.isprintable() else repr(value)
    elif isinstance(value, type):
        text = value.__qualname__
    elif isinstance(value, Via):
        text = _shown_via(value)
    else:
        text = brief(value)
    if len(text) <= _MAX_VALUE_CHARACTERS:
        return text
    return f"{text[: _MAX_VALUE_CHARACTERS - 1]}…"


def _shown_via(via: Via) -> str:
    """Return ``registry / key`` for a name in a registry."""
    if isinstance(via.name, tuple) and len(via.name) == 2:
        return " / ".join(shown(part) for part in via.name)
    return brief(via.name)
