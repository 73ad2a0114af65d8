"""The commands of ``txtrack``, and what becomes of their errors."""

import asyncio
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from cyclopts import App, CycloptsError, Parameter

from transaction_tracker.cli import config, deliveries, providers, tokens, webhooks
from transaction_tracker.cli.database import migrate, prune
from transaction_tracker.cli.doctor import doctor
from transaction_tracker.cli.events import events
from transaction_tracker.cli.exits import BAD_INPUT, INTERRUPTED, OK, TERMINATED, CommandError
from transaction_tracker.cli.groups import CARE, FIRST, FOLLOW
from transaction_tracker.cli.importing import import_
from transaction_tracker.cli.serve import serve
from transaction_tracker.cli.text import printable
from transaction_tracker.cli.transactions import add, get, ls, recheck, untrack, why
from transaction_tracker.cli.wait import wait
from transaction_tracker.cli.watch import watch

_HELP = """Track transactions, one supervised process each, until their state is final.

Begin with `txtrack demo`, which needs no node. `txtrack watch --rpc URL HASH` tracks a transaction
in this terminal. `txtrack serve --rpc URL` runs the service that the other commands talk to.
"""


def _default(value: object) -> object:
    """Write a default for people: nothing for a flag or a list that is off or empty."""
    if value is False or value is None or value == ():
        return None
    return ", ".join(map(str, value)) if isinstance(value, tuple) else value


app = App(
    name="txtrack",
    help=_HELP,
    version=lambda: version("transaction-tracker"),
    # No --empty-state next to --state: a list is empty where nothing is given.
    default_parameter=Parameter(negative_iterable=(), show_default=_default),
)
app.command("transaction_tracker.cli.optional:demo", name="demo", group=FIRST)
app.command("transaction_tracker.cli.optional:node", name="node", group=FIRST)
app.command(watch, group=FIRST)
app.command(serve, group=FIRST)
app.command(add, group=FOLLOW)
app.command(import_, name="import", group=FOLLOW, usage="Usage: txtrack import [OPTIONS] [FILE]\n")
app.command(get, group=FOLLOW)
app.command(ls, group=FOLLOW)
app.command(wait, group=FOLLOW)
app.command(why, group=FOLLOW)
app.command(events, group=FOLLOW)
app.command(recheck, group=FOLLOW)
app.command(untrack, group=FOLLOW)
app.command(doctor, group=CARE)
app.command(providers.app)
app.command(webhooks.app)
app.command(deliveries.app)
app.command(tokens.app)
app.command(config.app)
app.command(migrate, group=CARE)
app.command(prune, group=CARE)
app.register_install_completion_command()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status."""
    try:
        status = app(arguments, exit_on_error=False, print_error=True, result_action="return_value")
    except CycloptsError:
        return BAD_INPUT
    except CommandError as error:
        if not error.logged:
            print(f"txtrack: {printable(str(error))}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        return INTERRUPTED
    except asyncio.CancelledError:  # nothing cancels a command but SIGTERM
        return TERMINATED
    except BrokenPipeError:  # whoever read the results has enough of them
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    return OK if status is None else int(status)
