"""Transactions in a file: CSV, JSON lines or plain ids, read line by line."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, Literal

Format = Literal["auto", "csv", "jsonl", "ids"]

MAX_LINE_CHARACTERS = 64 * 1024
# What a column or a member may be called; everything else of a line of CSV is metadata.
ID_COLUMNS = ("id", "hash", "transaction")
FIELDS = ("id", "confirmations", "deadline", "metadata")


@dataclass(frozen=True, slots=True)
class Entry:
    """A line that asks for a transaction.

    Attributes:
        line: Its number, from 1.
        registration: What to ask the service for.
    """

    line: int
    registration: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that cannot be read, or was refused.

    Attributes:
        line: Its number, from 1.
        why: What was expected, and what came.
    """

    line: int
    why: str


def entries(lines: Iterable[str], kind: Format) -> Iterator[Entry | BadLine]:
    """Read the lines; empty ones and those that begin with ``#`` count, and ask for nothing.

    Args:
        lines: With their ends, as a file gives them.
        kind: How they are written; ``auto`` decides by the first line that is not empty.
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


def batches(found: Iterable[Entry | BadLine], size: int) -> Iterator[list[Entry | BadLine]]:
    """Divide what was read into parts of up to ``size``."""
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


def _of_json(number: int, text: str) -> Entry | BadLine:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return BadLine(number, "not JSON")
    if not isinstance(value, dict) or not isinstance(value.get("id"), str):
        return BadLine(number, 'not a JSON object with a text "id"')
    if strange := sorted(value.keys() - set(FIELDS)):
        return BadLine(number, f"unknown members {', '.join(strange)}; known are {FIELDS}")
    return Entry(number, value)


def _of_id(number: int, text: str) -> Entry:
    return Entry(number, {"id": text})


class Csv:
    """Reads lines of CSV, the first of which names the columns."""

    def __init__(self) -> None:
        self._header: list[str] | None = None

    def read(self, number: int, text: str) -> Entry | BadLine | None:
        """Read a line; the header gives nothing."""
        try:
            # A line is a record: an unclosed quote spoils its own line, and no other.
            cells = [cell.strip() for cell in next(csv.reader([text], strict=True))]
        except csv.Error as error:
            return BadLine(number, f"no CSV: {error}")
        if self._header is None:
            self._header = cells
            return None
        if len(cells) != len(self._header):
            return BadLine(number, f"{len(cells)} cells where the header has {len(self._header)}")
        return _of_row(number, dict(zip(self._header, cells, strict=True)))


def _of_row(number: int, row: Mapping[str, str]) -> Entry | BadLine:
    cells = {name: cell for name, cell in row.items() if cell}
    names = [name for name in cells if name.lower() in ID_COLUMNS]
    if not names:
        return BadLine(number, f"no {' or '.join(ID_COLUMNS)} in it")
    registration: dict[str, Any] = {"id": cells.pop(names[0])}
    if text := cells.pop("confirmations", None):
        registration["confirmations"] = int(text) if text.isdecimal() else text
    if text := cells.pop("deadline", None):
        registration["deadline"] = text
    try:
        metadata = json.loads(cells.pop("metadata", "{}"))
    except (ValueError, RecursionError):
        metadata = None
    if not isinstance(metadata, dict):
        return BadLine(number, "the column metadata must hold a JSON object")
    # What else the table says of the payment comes back with every event.
    if metadata | cells:
        registration["metadata"] = metadata | cells
    return Entry(number, registration)
