"""Read transactions from a file line by line: CSV, JSON lines or plain ids."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Literal

Format = Literal["auto", "csv", "jsonl", "ids"]

MAX_LINE_CHARACTERS = 64 * 1024
# Names of columns and members; all other columns of CSV are metadata.
ID_COLUMNS = ("id", "hash", "transaction")
FIELDS = ("id", "confirmations", "deadline", "metadata")


@dataclass(frozen=True, slots=True)
class GoodLine:
    """A line with a transaction to track.

    Attributes:
        line: Line number, from 1.
        body: GoodLine, as the API expects it.
    """

    line: int
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that is invalid, or that the service refused.

    Attributes:
        line: Line number, from 1.
        reason: What was expected, and what the line contains.
    """

    line: int
    reason: str


def entries(lines: Iterable[str], kind: Format) -> Iterator[GoodLine | BadLine]:
    """Parse lines; skip empty lines and lines that begin with ``#``, but count them.

    Args:
        lines: Lines with their line ends.
        kind: Format of the lines; ``auto`` decides by the first line that is not skipped.
    """
    source = iter(lines)
    if kind == "auto":
        head = list(_up_to_the_first(source))
        kind, source = _kind_of(head[-1] if head else ""), chain(head, source)
    read = {"csv": Csv().read, "jsonl": _of_json, "ids": _of_id}[kind]
    for number, line in enumerate(source, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if len(text) > MAX_LINE_CHARACTERS:
            yield BadLine(number, f"longer than {MAX_LINE_CHARACTERS:,} characters")
        elif (found := read(number, text)) is not None:
            yield found


def batches(found: Iterable[GoodLine | BadLine], size: int) -> Iterator[list[GoodLine | BadLine]]:
    """Yield the lines in batches of up to ``size``."""
    source = iter(found)
    while batch := list(islice(source, size)):
        yield batch


def _up_to_the_first(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line
        if line.strip() and not line.lstrip().startswith("#"):
            return


def _kind_of(line: str) -> Format:
    if line.lstrip().startswith("{"):
        return "jsonl"
    columns = [name.strip().lower() for name in line.split(",")]
    return "csv" if any(name.strip('"') in ID_COLUMNS for name in columns) else "ids"


def _of_json(number: int, text: str) -> GoodLine | BadLine:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return BadLine(number, "not JSON")
    if not isinstance(value, dict) or not isinstance(value.get("id"), str):
        return BadLine(number, 'must be a JSON object with a text "id"')
    if strange := sorted(value.keys() - set(FIELDS)):
        return BadLine(number, f"unknown members {', '.join(strange)}; known: {', '.join(FIELDS)}")
    return GoodLine(number, value)


def _of_id(number: int, text: str) -> GoodLine:
    return GoodLine(number, {"id": text})


class Csv:
    """Parses lines of CSV; the first line contains the names of the columns."""

    def __init__(self) -> None:
        self._header: list[str] | None = None

    def read(self, number: int, text: str) -> GoodLine | BadLine | None:
        """Parse a line; return ``None`` for the header."""
        try:
            # Each line is one record, so that an unclosed quote affects only its own line.
            cells = [cell.strip() for cell in next(csv.reader([text], strict=True))]
        except csv.Error as error:
            return BadLine(number, f"invalid CSV: {error}")
        if self._header is None:
            self._header = cells
            return None
        if len(cells) != len(self._header):
            return BadLine(
                number, f"must have {len(self._header)} cells like the header, got {len(cells)}"
            )
        return _of_row(number, dict(zip(self._header, cells, strict=True)))


def _of_row(number: int, row: Mapping[str, str]) -> GoodLine | BadLine:
    cells = {name: cell for name, cell in row.items() if cell}
    names = [name for name in cells if name.lower() in ID_COLUMNS]
    if not names:
        return BadLine(number, f"must have a value for {' or '.join(ID_COLUMNS)}")
    body: dict[str, Any] = {"id": cells.pop(names[0])}
    if text := cells.pop("confirmations", None):
        body["confirmations"] = int(text) if text.isdecimal() else text
    if text := cells.pop("deadline", None):
        body["deadline"] = text
    try:
        metadata = json.loads(cells.pop("metadata", "{}"))
    except (ValueError, RecursionError):
        metadata = None
    if not isinstance(metadata, dict):
        return BadLine(number, "the column metadata must be a JSON object")
    # All other columns become metadata, which each event contains.
    if metadata | cells:
        body["metadata"] = metadata | cells
    return GoodLine(number, body)
