"""Rows of text, aligned.

When not to use it: for more than a screen; the views count what they leave out.
"""

from collections.abc import Sequence
from typing import Any

from beamish._server.requests import safe_repr
from beamish.pid import Via

_LONGEST = 60  # characters of a value


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Lay out rows of cells so that each column begins at the same place in every line."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def shown(value: Any) -> str:
    """Show an id, a name or a label: strings as they are, classes by their names."""
    if isinstance(value, str):
        text = value if value.isprintable() else repr(value)
    elif isinstance(value, type):
        text = value.__qualname__
    elif isinstance(value, Via):
        text = _shown_via(value)
    else:
        text = safe_repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _shown_via(via: Via) -> str:
    """Show ``registry / key``, which is what the names of registries consist of."""
    if isinstance(via.name, tuple) and len(via.name) == 2:
        return " / ".join(shown(part) for part in via.name)
    return safe_repr(via.name)
