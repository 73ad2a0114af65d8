"""``txtrack import``: track many transactions from a file or standard input."""

import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import IO, Annotated, Any

import orjson
from cyclopts import Parameter
from cyclopts.validators import Number
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from transaction_tracker.cli import output
from transaction_tracker.cli.client import Api
from transaction_tracker.cli.entries import BadLine, Format, GoodLine, batches, entries
from transaction_tracker.cli.exits import BAD_INPUT, OK
from transaction_tracker.cli.service import ServiceFlags
from transaction_tracker.cli.standard_input import STDIN, InputFile, opened
from transaction_tracker.cli.transactions import refusal, register


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
    batch: Annotated[int, Parameter(validator=Number(gte=1, lte=10_000))] = 1_000,
    again: Annotated[bool, Parameter(negative=())] = False,
    service: ServiceFlags | None = None,
) -> int:
    """Track many transactions with a running service, from a file or standard input.

    Each line is a transaction in one of three formats:

    - CSV: the first line contains the names of the columns. One is id (or hash, or transaction);
      confirmations, deadline and metadata are optional; all other columns become metadata.
    - JSON: an object with the members id, confirmations, deadline and metadata.
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
    flags = service or ServiceFlags()
    tally = Tally()
    with text_of(file) as stream, progress(stream) as moved:
        async with flags.api() as api:
            for part in batches(entries(stream, format_), batch):
                await _import(api, part, tally, again=again, as_json=flags.as_json)
                moved()
    _finish(tally, as_json=flags.as_json)
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
        _report(line, as_json=as_json)


def _report(bad: BadLine, *, as_json: bool) -> None:
    if as_json:
        output.write_json({"status": "bad", **asdict(bad)})
    else:
        output.note(f"line {bad.line}: {bad.reason}")


def _finish(tally: Tally, *, as_json: bool) -> None:
    if as_json:
        output.write_json({"status": "done", **asdict(tally)})
    else:
        bad = f"; {tally.bad:,} bad lines, see above" if tally.bad else ""
        output.say(f"{tally.accepted:,} transactions are tracked{bad}")


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
