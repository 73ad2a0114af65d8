"""``txtrack import``: track many transactions from a file or standard input."""

import csv
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import chain, islice
from typing import IO, Annotated, Any, Literal, NamedTuple

import orjson
from cyclopts import Parameter
from cyclopts.validators import Number
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from transaction_tracker.cli import output
from transaction_tracker.cli.client import Api
from transaction_tracker.cli.exits import BAD_INPUT, OK, BadInputError
from transaction_tracker.cli.flags import (
    CONFIGURED,
    STDIN,
    InputFile,
    ServiceFlags,
    WholeNumber,
    number_or_tag,
    opened,
)
from transaction_tracker.cli.transactions import refusal, register

Format = Literal["auto", "csv", "jsonl", "ids"]

MAX_LINE_CHARACTERS = 64 * 1024
# Names of columns and members; all other columns of CSV are metadata.
ID_COLUMNS = ("id", "hash", "transaction")
FIELDS = ("id", "confirmations", "deadline", "metadata", "expect")


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


@dataclass(slots=True)
class Tally:
    """Numbers of lines so far.

    Attributes:
        accepted: Lines with transactions that are tracked now.
        bad: Lines that are invalid or that the service refused.
    """

    accepted: int = 0
    bad: int = 0


async def import_(
    file: InputFile = STDIN,
    /,
    *,
    format_: Annotated[Format, Parameter(name="--format")] = "auto",
    batch: Annotated[WholeNumber, Parameter(validator=Number(gte=1, lte=10_000))] = 1_000,
    again: Annotated[bool, Parameter(negative=())] = False,
    service: ServiceFlags = CONFIGURED,
) -> int:
    """Track many transactions with a running service, from a file or standard input.

    Each line is a transaction in one of three formats:

    - CSV: the first line contains the names of the columns. One is id (or hash, or transaction);
      confirmations, deadline, metadata and expect are optional; all other columns become metadata.
    - JSON: an object with the members id, confirmations, deadline, metadata and expect.
    - Only the id.

    Empty lines and lines that begin with # are skipped.

    Bad lines are reported on standard error with their numbers; the other lines are imported. After
    an interruption, run the command again: idempotency keys made from the lines let the service
    skip imported lines quickly.

    Exit status: 0; 1 if the service refuses, 2 if at least one line is bad, 6 if no service
    responds.

    Args:
        file: File to import; - is standard input.
        format_: Format of the lines; auto detects it from the first line.
        batch: Number of lines per request.
        again: Also send lines again that were imported within the last day.
    """
    tally = Tally()
    with text_of(file) as stream, progress(stream) as moved:
        async with service.api() as api:
            for part in batches(entries(stream, format_), batch):
                await _import(api, part, tally, again=again, as_json=service.as_json)
                moved()
    finish(tally, "transactions are tracked", as_json=service.as_json)
    return BAD_INPUT if tally.bad else OK


async def _import(
    api: Api, part: Sequence[GoodLine | BadLine], tally: Tally, *, again: bool, as_json: bool
) -> None:
    good = [line for line in part if isinstance(line, GoodLine)]
    bad = [line for line in part if isinstance(line, BadLine)]
    if good:
        registrations = [line.body for line in good]
        response = await register(api, registrations, None if again else _key(registrations))
        results = zip(good, response["results"], strict=True)
        bad += [
            BadLine(line.line, refusal(result))
            for line, result in results
            if result["status"] == "refused"
        ]
        tally.accepted += response["accepted"]
    tally.bad += len(bad)
    for line in sorted(bad, key=lambda line: line.line):
        report(line, as_json=as_json)


def report(bad: BadLine, *, as_json: bool) -> None:
    """Print why a line was not imported."""
    if as_json:
        output.write_json({"status": "bad", **asdict(bad)})
    else:
        output.note(f"line {bad.line}: {bad.reason}")


def finish(tally: Tally, done: str, *, as_json: bool) -> None:
    """Print the numbers of lines.

    Args:
        tally: The numbers.
        done: What is true of the accepted lines now.
        as_json: Whether to print one line of JSON.
    """
    if as_json:
        output.write_json({"status": "done", **asdict(tally)})
    else:
        bad = f"; {tally.bad:,} bad lines, see above" if tally.bad else ""
        output.say(f"{tally.accepted:,} {done}{bad}")


def _key(registrations: Any) -> str:
    """Return an idempotency key made from the request's content."""
    content = orjson.dumps(registrations, option=orjson.OPT_SORT_KEYS)
    return f"import-{hashlib.sha256(content).hexdigest()}"


@contextmanager
def text_of(file: str) -> Iterator[IO[str]]:
    """Open a file, or standard input, as UTF-8 text, independent of the locale."""
    with opened(file) as data:
        text = io.TextIOWrapper(data, encoding="utf-8-sig", errors="replace")
        try:
            yield text
        finally:
            # Otherwise the wrapper would close standard input.
            text.detach()


@contextmanager
def progress(stream: IO[str]) -> Iterator[Any]:
    """Show the progress on standard error, if it is a terminal and the input is a file."""
    console = output.errors()
    if not console.is_terminal or not stream.seekable():
        yield lambda: None
        return
    size = os.fstat(stream.fileno()).st_size
    columns = (TextColumn("importing"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("import", total=size)
        # A text file cannot report its position during iteration; its file descriptor can.
        yield lambda: progress.update(task, completed=os.lseek(stream.fileno(), 0, os.SEEK_CUR))


class Form(NamedTuple):
    """What the lines of a file stand for.

    Attributes:
        columns: Names of CSV columns, of which the header has one.
        options: Names of the other columns that have a meaning. All others are metadata.
        of_row: Parses the cells of a row by their columns; gets the line number too.
        of_json: Parses a line of JSON.
        of_id: Parses a line that is nothing else.
    """

    columns: Sequence[str]
    options: Sequence[str]
    of_row: Callable[[int, Mapping[str, str]], GoodLine | BadLine]
    of_json: Callable[[int, str], GoodLine | BadLine]
    of_id: Callable[[int, str], GoodLine | BadLine]


def entries(
    lines: Iterable[str], kind: Format, form: Form | None = None
) -> Iterator[GoodLine | BadLine]:
    """Parse lines; skip empty lines and lines that begin with ``#``, but count them.

    Args:
        lines: Lines with their line ends.
        kind: Format of the lines; ``auto`` decides by the first line that is not skipped.
        form: What the lines stand for. Default: transactions.
    """
    form = form or Form(ID_COLUMNS, FIELDS[1:], _of_row, _of_json, _of_id)
    source = iter(lines)
    if kind == "auto":
        head = list(_up_to_the_first(source))
        kind, source = _kind_of(head[-1] if head else "", form.columns), chain(head, source)
    read = {"csv": Csv(form).read, "jsonl": form.of_json, "ids": form.of_id}[kind]
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


def _kind_of(line: str, wanted: Sequence[str]) -> Format:
    if line.lstrip().startswith("{"):
        return "jsonl"
    if _has_column(line, ",", wanted):
        return "csv"
    # Spreadsheets of many countries write these.
    if any(_has_column(line, separator, wanted) for separator in (";", "\t")):
        raise BadInputError(f"columns must be separated by commas, got the header {line.strip()!r}")
    return "ids"


def _has_column(line: str, separator: str, wanted: Sequence[str]) -> bool:
    columns = (name.strip().lower().strip('"') for name in line.split(separator))
    return any(name in wanted for name in columns)


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
    """Parses lines of CSV; the first line contains the names of the columns.

    Args:
        form: What the lines stand for.
    """

    def __init__(self, form: Form) -> None:
        self._form = form
        self._header: list[str] | None = None

    def read(self, number: int, text: str) -> GoodLine | BadLine | None:
        """Parse a line; return ``None`` for the header."""
        try:
            # Each line is one record, so that an unclosed quote affects only its own line.
            cells = [cell.strip() for cell in next(csv.reader([text], strict=True))]
        except csv.Error as error:
            return BadLine(number, f"invalid CSV: {error}")
        if self._header is None:
            self._header = self._names(cells)
            return None
        if len(cells) != len(self._header):
            return BadLine(
                number, f"must have {len(self._header)} cells like the header, got {len(cells)}"
            )
        return self._form.of_row(number, dict(zip(self._header, cells, strict=True)))

    def _names(self, cells: Sequence[str]) -> list[str]:
        """Return the names of the columns; those with a meaning in lower case.

        Otherwise a column ``Confirmations`` would be metadata, and be without effect.

        Raises:
            BadInputError: Two columns have the same name.
        """
        known = (*self._form.columns, *self._form.options)
        names = [cell.lower() if cell.lower() in known else cell for cell in cells]
        twice = next((name for name in names if name and names.count(name) > 1), None)
        if twice is not None:
            raise BadInputError(f"the header has the column {twice!r} twice; remove one")
        return names


def _of_row(number: int, row: Mapping[str, str]) -> GoodLine | BadLine:
    cells = {name: cell for name, cell in row.items() if cell}
    names = [name for name in cells if name.lower() in ID_COLUMNS]
    if not names:
        return BadLine(number, f"must have a value for {' or '.join(ID_COLUMNS)}")
    body: dict[str, Any] = {"id": cells.pop(names[0])}
    if text := cells.pop("confirmations", None):
        body["confirmations"] = number_or_tag(text)
    if text := cells.pop("deadline", None):
        body["deadline"] = text
    objects = {}
    for name in ("metadata", "expect"):
        try:
            objects[name] = json.loads(cells.pop(name, "{}"))
        except (ValueError, RecursionError):
            objects[name] = None
        if not isinstance(objects[name], dict):
            return BadLine(number, f"the column {name} must be a JSON object")
    metadata = objects["metadata"]
    if objects["expect"]:
        body["expect"] = objects["expect"]
    # All other columns become metadata, which each event contains.
    if metadata | cells:
        body["metadata"] = metadata | cells
    return GoodLine(number, body)
