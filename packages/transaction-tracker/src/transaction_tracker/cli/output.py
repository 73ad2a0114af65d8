"""What commands print: for people, or as JSON; results on standard output, all else on error."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from transaction_tracker.cli.text import printable

# The colours of states, wherever they are shown.
COLOURS = {
    "confirmed": "green",
    "failed": "red",
    "invalid": "red",
    "reversed": "red",
    "dropped": "magenta",
    "expired": "magenta",
    "replaced": "bright_blue",
    "pending": "yellow",
    "missing": "yellow",
}

_WIDEST = 1_000


def console() -> Console:
    """Give standard output as it is now."""
    return Console(highlight=False, soft_wrap=True)


def errors() -> Console:
    """Give standard error as it is now."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def write_json(value: object) -> None:
    """Print one value as JSON in a line of its own."""
    sys.stdout.buffer.write(orjson.dumps(value) + b"\n")
    sys.stdout.flush()


def write_document(value: object) -> None:
    """Print one JSON document, indented for people who look."""
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Print a line for people, its control codes taken out."""
    console().print(Text(printable(text)))


def note(text: str) -> None:
    """Print a line for people where results do not go."""
    errors().print(Text(printable(text)))


def facts(pairs: Mapping[str, object]) -> None:
    """Print names and values, one below another; values that are ``None`` are left out."""
    known = {name: value for name, value in pairs.items() if value is not None}
    width = max(map(len, known), default=0)
    for name, value in known.items():
        line = Text(f"{name:<{width}}  ", "dim")
        line.append(printable(str(value)), COLOURS.get(str(value), "none"))
        console().print(line)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; elsewhere than on a terminal, its columns are divided by tabs."""
    if not console().is_terminal:
        for row in rows:
            print("\t".join(_cell(value) for value in row))
        return
    shown = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        shown.add_row(*(Text(_cell(value), COLOURS.get(str(value), "none")) for value in row))
    # As wide as it has to be: half of a hash is of no use to anybody.
    Console(highlight=False, width=_WIDEST).print(shown)


def _cell(value: Any) -> str:
    return "" if value is None else printable(str(value)).replace("\n", " ")
