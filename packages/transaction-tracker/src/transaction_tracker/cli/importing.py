"""``txtrack import``: track many transactions, from a file or from standard input."""

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
from transaction_tracker.cli.entries import BadLine, Entry, Format, batches, entries
from transaction_tracker.cli.exits import BAD_INPUT, OK
from transaction_tracker.cli.service import ServiceFlags
from transaction_tracker.cli.standard_input import STDIN, InputFile, opened
from transaction_tracker.cli.transactions import refusal, register


@dataclass(slots=True)
class Tally:
    """What became of the lines so far.

    Attributes:
        accepted: Lines whose transactions are followed.
        bad: Lines that could not be read, or were refused.
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

    Each line is a transaction, in one of three forms:

    - CSV: the first line names the columns. One is id (or hash, or transaction); confirmations,
      deadline and metadata are optional, and all other columns become metadata.
    - JSON: an object with the members id, confirmations, deadline and metadata.
    - The id alone.

    Empty lines, and those that begin with #, are skipped.

    Bad lines are reported with their numbers on standard error; the good ones around them are
    tracked. After an interruption, start it again: lines that were imported already are skipped
    quickly, by idempotency keys made from the lines.

    Exit status: 0; 1 if the service refuses, 2 if at least one line is bad, 6 if no service
    answers.

    Args:
        file: The file; - is standard input.
        format_: How the lines are written; auto looks at the first one.
        batch: Lines in one request.
        again: Send again also lines that were imported within the last day.
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
    api: Api, part: Sequence[Entry | BadLine], tally: Tally, *, again: bool, as_json: bool
) -> None:
    good = [one for one in part if isinstance(one, Entry)]
    bad = [one for one in part if isinstance(one, BadLine)]
    if good:
        registrations = [one.registration for one in good]
        answer = await register(api, registrations, None if again else _key(registrations))
        results = zip(good, answer["results"], strict=True)
        bad += [
            BadLine(entry.line, refusal(result))
            for entry, result in results
            if result["status"] == "refused"
        ]
        tally.accepted += answer["accepted"]
    tally.bad += len(bad)
    for one in sorted(bad, key=lambda one: one.line):
        _report(one, as_json=as_json)


def _report(one: BadLine, *, as_json: bool) -> None:
    if as_json:
        output.write_json({"status": "bad", **asdict(one)})
    else:
        output.note(f"line {one.line}: {one.why}")


def _finish(tally: Tally, *, as_json: bool) -> None:
    if as_json:
        output.write_json({"status": "done", **asdict(tally)})
    else:
        bad = f"; {tally.bad:,} bad lines, see above" if tally.bad else ""
        output.say(f"{tally.accepted:,} transactions are followed{bad}")


def _key(registrations: Any) -> str:
    """Name a request by what it asks for: sent again, it has the same name."""
    content = orjson.dumps(registrations, option=orjson.OPT_SORT_KEYS)
    return f"import-{hashlib.sha256(content).hexdigest()}"


@contextmanager
def text_of(file: str) -> Iterator[IO[str]]:
    """Read a file, or standard input, as text in UTF-8, whatever the locale is."""
    with opened(file) as data:
        text = io.TextIOWrapper(data, encoding="utf-8-sig", errors="replace")
        try:
            yield text
        finally:
            # Closing it would close standard input too.
            text.detach()


@contextmanager
def progress(stream: IO[str]) -> Iterator[Any]:
    """Show on standard error how much of a file is done, where somebody may look."""
    console = output.errors()
    if not console.is_terminal or not stream.seekable():
        yield lambda: None
        return
    size = os.fstat(stream.fileno()).st_size
    columns = (TextColumn("importing"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("import", total=size)
        # Text files do not tell where they are while lines are read from them; the bytes below do.
        yield lambda: progress.update(task, completed=os.lseek(stream.fileno(), 0, os.SEEK_CUR))
