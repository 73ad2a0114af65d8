"""Print text, tables and JSON: results to standard output, the rest to standard error."""

import sys
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from decimal import Context, Decimal
from typing import Any, TypeVar

import orjson
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

# Colours of states.
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

_MAX_WIDTH = 1_000
_PART_ROWS = 500

Item = TypeVar("Item")


def console() -> Console:
    """Return a console for the current standard output."""
    return Console(highlight=False, soft_wrap=True)


def errors() -> Console:
    """Return a console for the current standard error."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def write_json(value: object) -> None:
    """Print one value as a line of JSON."""
    sys.stdout.buffer.write(orjson.dumps(value) + b"\n")
    sys.stdout.flush()


def write_document(value: object) -> None:
    """Print one indented JSON document."""
    sys.stdout.buffer.write(orjson.dumps(value, option=orjson.OPT_INDENT_2) + b"\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Print text to standard output, without control codes."""
    console().print(Text(printable(text)))


def note(text: str) -> None:
    """Print text to standard error, without control codes."""
    errors().print(Text(printable(text)))


def facts(pairs: Mapping[str, object]) -> None:
    """Print one line per name and value; omit values that are ``None``."""
    known = {name: value for name, value in pairs.items() if value is not None}
    width = max(map(len, known), default=0)
    for name, value in known.items():
        line = Text(f"{name:<{width}}  ", "dim")
        line.append(printable(str(value)), COLOURS.get(str(value), "none"))
        console().print(line)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, header: bool = True) -> None:
    """Print a table.

    Args:
        columns: Names of the columns.
        rows: Values; ``None`` is an empty cell.
        header: Whether to print the names of the columns.
    """
    writer = TableWriter(columns, header=header)
    for row in rows:
        writer.add(row)
    writer.finish()


def items(
    found: Iterable[Item],
    columns: Sequence[str],
    row: Callable[[Item], Sequence[object]],
    *,
    as_json: bool,
    header: bool = True,
) -> None:
    """Print items as lines of JSON, or as a table; arguments as of `lines`."""
    if not as_json:
        table(columns, map(row, found), header=header)
        return
    for item in found:
        write_json(item)


class TableWriter:
    """Prints a table of any length, row by row or in parts.

    On a terminal, the columns are aligned within each part of 500 rows; columns only get wider.
    In a pipe or a file, tabs separate the columns.

    Args:
        columns: Names of the columns.
        header: Whether to print the names of the columns.
        live: Whether to print each row at once.
    """

    def __init__(self, columns: Sequence[str], *, header: bool = True, live: bool = False) -> None:
        self._columns = columns
        self._header = header
        self._widths = [len(column) if header else 0 for column in columns]
        self._aligned = console().is_terminal
        self._live = live
        self._rows: list[list[Text]] = []

    def add(self, row: Sequence[object]) -> None:
        """Print a row, or store it until a part is complete."""
        if not self._aligned:
            self._print_header()
            print("\t".join(_cell(value) for value in row), flush=self._live)
            return
        self._rows.append([Text(_cell(value), COLOURS.get(str(value), "none")) for value in row])
        if self._live or len(self._rows) == _PART_ROWS:
            self._print_part()

    def finish(self) -> None:
        """Print the remaining rows, or the header of an empty table."""
        if not self._aligned:
            self._print_header()
        elif self._rows or self._header:
            self._print_part()

    def _print_header(self) -> None:
        # Not in __init__: a command that fails before the first row must print nothing.
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
        # Wider than the terminal if necessary: a shortened hash would be useless.
        Console(highlight=False, width=_MAX_WIDTH).print(part)
        self._rows.clear()
        self._header = False


async def lines(
    found: AsyncIterator[Item],
    columns: Sequence[str],
    row: Callable[[Item], Sequence[object]],
    *,
    as_json: bool,
    header: bool = True,
    live: bool = False,
) -> None:
    """Print items as they arrive, as lines of JSON or as rows of a table.

    Args:
        found: The items.
        columns: Names of the table's columns.
        row: Function that returns the row of an item.
        as_json: Whether to print JSON.
        header: Whether to print the names of the columns.
        live: Whether to print each row at once.
    """
    if as_json:
        async for item in found:
            write_json(item)
        return
    writer = TableWriter(columns, header=header, live=live)
    async for item in found:
        writer.add(row(item))
    writer.finish()


async def limited(
    ask: Callable[[int | None], AsyncIterator[Item]], limit: int | None, hint: str
) -> AsyncIterator[Item]:
    """Yield up to ``limit`` items; print a note on standard error if there are more.

    Args:
        ask: Function that returns up to a number of items. It is called with one more than the
            limit, to find out whether there are more.
        limit: Maximum number of items; ``None`` yields all.
        hint: How to get the rest.
    """
    count = 0
    async for item in ask(None if limit is None else limit + 1):
        if count == limit:
            note(f"txtrack: {count:,} shown, more available; {hint}")
            return
        count += 1
        yield item


def _cell(value: Any) -> str:
    return "" if value is None else printable(str(value)).replace("\n", " ")


def printable(text: str) -> str:
    """Return text from outside without control codes, which a terminal would execute."""
    return "".join(
        character if character.isprintable() or character == "\n" else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )


_WEI_DIGITS = {"ether": 18, "gwei": 9}
# A uint256 has up to 78 digits; this precision keeps all of them.
_EXACT = Context(prec=100)


def amount(wei: int) -> str:
    """Format an amount in ether, gwei and wei, without rounding.

    The units are the same on every EVM chain, whatever the coin's name: an ether is 10**18 wei, a
    gwei 10**9 wei.
    """
    ether, gwei = (_scaled(wei, digits) for digits in _WEI_DIGITS.values())
    return f"{ether} ether ({gwei} gwei, {wei} wei)"


def token_amount(value: int, decimals: int, symbol: str | None) -> str:
    """Format an amount of a token without rounding, with the name that its contract gives itself.

    Args:
        value: Amount in the smallest unit.
        decimals: Number of decimals.
        symbol: Short name.
    """
    return " ".join(filter(None, [_scaled(value, decimals), symbol]))


def _scaled(wei: int, digits: int) -> str:
    value = Decimal(wei).scaleb(-digits, _EXACT)
    text = format(value, ",f")
    return text.rstrip("0").removesuffix(".") if "." in text else text
