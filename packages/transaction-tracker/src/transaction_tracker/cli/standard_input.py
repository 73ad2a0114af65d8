"""Input files of commands; ``-`` is standard input."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any

from cyclopts import Parameter

from transaction_tracker.cli import output
from transaction_tracker.cli.exits import BadInputError

STDIN = "-"


def _check(_kind: Any, value: str) -> None:
    if value.startswith("-") and value != STDIN:
        raise ValueError(f"unknown option {value}; a file of this name is ./{value}")


# With allow_leading_hyphen, the parser accepts "-" as a file, but also every unknown option; the
# validator refuses these.
InputFile = Annotated[str, Parameter(allow_leading_hyphen=True, validator=_check)]


@contextmanager
def opened(file: str) -> Iterator[IO[bytes]]:
    """Open a file, or standard input, while the block runs.

    Raises:
        BadInputError: The file cannot be read; also if reading fails only inside the block.
    """
    try:
        if file != STDIN:
            with Path(file).open("rb") as stream:
                yield stream
            return
        if sys.stdin.isatty():
            output.note("reading from the terminal; Ctrl-D at the start of a line ends it")
        yield sys.stdin.buffer
    except OSError as error:
        raise BadInputError(f"cannot read {file}: {error.strerror}") from None
