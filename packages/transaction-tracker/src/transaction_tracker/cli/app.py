"""The commands of ``txtrack``, and what becomes of their errors."""

import asyncio
import sys
from collections.abc import Sequence
from importlib.metadata import version

from cyclopts import App, CycloptsError

from transaction_tracker.cli.demo import demo
from transaction_tracker.cli.exits import BAD_INPUT, INTERRUPTED, OK, TERMINATED, CommandError
from transaction_tracker.cli.node import node
from transaction_tracker.cli.text import printable
from transaction_tracker.cli.watch import watch

app = App(
    name="txtrack",
    help="Follow transactions, one supervised process each, until their end is certain.",
    version=lambda: version("transaction-tracker"),
)
app.command(demo)
app.command(watch)
app.command(node)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status."""
    try:
        status = app(arguments, exit_on_error=False, print_error=True, result_action="return_value")
    except CycloptsError:
        return BAD_INPUT
    except CommandError as error:
        print(f"txtrack: {printable(str(error))}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        return INTERRUPTED
    except asyncio.CancelledError:  # nothing cancels a command but SIGTERM
        return TERMINATED
    return OK if status is None else int(status)
