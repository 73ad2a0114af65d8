"""The program ``txtrack``: run a command, and convert its errors to an exit status."""

import asyncio
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from cyclopts import App, CycloptsError, Parameter

from transaction_tracker.cli.commands import COMMANDS, register
from transaction_tracker.cli.exits import BAD_INPUT, INTERRUPTED, OK, TERMINATED, CommandError
from transaction_tracker.cli.output import printable

_HELP = """Track transactions, one supervised process each, until their state is final.

Start with `txtrack demo`, which needs no node. `txtrack watch --rpc URL HASH` tracks a transaction
in this terminal. `txtrack serve --rpc URL` runs the service that most other commands use.
"""


def _default(value: object) -> object:
    """Format a default for the help; ``None`` for a flag that is off or an empty list."""
    if value is False or value is None or value == ():
        return None
    return ", ".join(map(str, value)) if isinstance(value, tuple) else value


# Completion scripts contain the flags of every command.
_NEEDS_ALL = "--install-completion"


def application(arguments: Sequence[str] | None = None) -> App:
    """Return the application with the commands in ``arguments``; with all if it is ``None``."""
    app = App(
        name="txtrack",
        help=_HELP,
        version=lambda: version("transaction-tracker"),
        # No --empty-state for --state: a list is empty by default.
        default_parameter=Parameter(negative_iterable=(), show_default=_default),
    )
    everything = arguments is None or _NEEDS_ALL in arguments
    register(app, [command.name for command in COMMANDS] if everything else arguments or ())
    app.register_install_completion_command()
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status."""
    typed = sys.argv[1:] if arguments is None else arguments
    try:
        status = application(typed)(
            typed, exit_on_error=False, print_error=True, result_action="return_value"
        )
    except CycloptsError:
        return BAD_INPUT
    except CommandError as error:
        if not error.logged:
            print(f"txtrack: {printable(str(error))}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        return INTERRUPTED
    except asyncio.CancelledError:  # only SIGTERM cancels a command
        return TERMINATED
    except BrokenPipeError:  # the reader of the output has closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    return OK if status is None else int(status)
