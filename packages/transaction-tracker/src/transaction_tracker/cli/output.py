"""What commands print: for people, or as JSON; results on standard output, all else on error."""

import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

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
_PART_ROWS = 500

Item = TypeVar("Item")


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


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, header: bool = True) -> None:
    """Print a table.

    Args:
        columns: Their names.
        rows: The values; ``None`` is an empty cell.
        header: Whether to print the names first.
    """
    writer = TableWriter(columns, header=header)
    for row in rows:
        writer.add(row)
    writer.finish()


class TableWriter:
    """Prints a table of any length, row by row or in parts.

    On a terminal the columns are aligned; each part of some hundred rows is as wide as it or an
    earlier one has to be. Elsewhere the columns are separated by tabs.

    Args:
        columns: Their names.
        header: Whether to print the names first.
    """

    def __init__(self, columns: Sequence[str], *, header: bool = True) -> None:
        self._columns = columns
        self._header = header
        self._widths = [len(column) if header else 0 for column in columns]
        self._aligned = console().is_terminal
        self._rows: list[list[Text]] = []

    def add(self, row: Sequence[object]) -> None:
        """Print a row, or keep it until there are enough for a part."""
        if not self._aligned:
            self._print_header()
            print("\t".join(_cell(value) for value in row))
            return
        self._rows.append([Text(_cell(value), COLOURS.get(str(value), "none")) for value in row])
        if len(self._rows) == _PART_ROWS:
            self._print_part()

    def finish(self) -> None:
        """Print what is left, and the header of an empty table."""
        if not self._aligned:
            self._print_header()
        elif self._rows or self._header:
            self._print_part()

    def _print_header(self) -> None:
        # Only here, not at the start: a command that fails before the first row prints nothing.
        if self._header:
            print("\t".join(self._columns))
            self._header = False

    def _print_part(self) -> None:
        lengths = ([cell.cell_len for cell in row] for row in self._rows)
        self._widths = [max(width) for width in zip(self._widths, *lengths, strict=True)]
        part = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, show_header=self._header)
        for column, width in zip(self._columns, self._widths, strict=True):
            part.add_column(column, min_width=width)
        for row in self._rows:
            part.add_row(*row)
        # As wide as it has to be: nobody can use half of a hash.
        Console(highlight=False, width=_WIDEST).print(part)
        self._rows.clear()
        self._header = False


async def lines(
    found: AsyncIterator[Item],
    columns: Sequence[str],
    row: Callable[[Item], Sequence[object]],
    *,
    as_json: bool,
    header: bool = True,
) -> None:
    """Print items as they come: as lines of JSON, or as the rows of a table.

    Args:
        found: The items.
        columns: The names of the table's columns.
        row: Returns the values of an item's row.
        as_json: Whether to print JSON.
        header: Whether the table has a header.
    """
    if as_json:
        async for item in found:
            write_json(item)
        return
    writer = TableWriter(columns, header=header)
    async for item in found:
        writer.add(row(item))
    writer.finish()


async def limited(
    ask: Callable[[int | None], AsyncIterator[Item]], limit: int | None, hint: str
) -> AsyncIterator[Item]:
    """Yield up to ``limit`` items; if there are more, say so on standard error.

    Args:
        ask: Returns up to so many items. It is asked for one more than the limit, which shows
            whether there are more.
        limit: How many; ``None`` is all.
        hint: How to get more.
    """
    count = 0
    async for item in ask(None if limit is None else limit + 1):
        if count == limit:
            note(f"txtrack: {count:,} shown, there are more; {hint}")
            return
        count += 1
        yield item


def _cell(value: Any) -> str:
    return "" if value is None else printable(str(value)).replace("\n", " ")
