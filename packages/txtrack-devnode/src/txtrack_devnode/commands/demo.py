"""``txtrack demo``: run the demo."""

from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console

from transaction_tracker.cli.exits import OK, TROUBLE, CommandError, ended_by_sigterm
from txtrack_devnode.commands.signals import wait_for_signal
from txtrack_devnode.demo import FAST, MIN_PAYMENTS, SLOW, DemoError, run_demo


async def demo(
    *,
    fast: Annotated[bool, Parameter(negative=())] = False,
    transactions: Annotated[int, Parameter(validator=Number(gte=MIN_PAYMENTS, lte=10_000))] = 360,
) -> int:
    """Watch a few hundred transactions of every kind, on a chain of its own.

    The demo starts two development nodes and sends payments that succeed, revert, are repriced,
    cancelled, replaced, reorged out, dropped or expire. It crashes a tracker on purpose, injects
    faults into the nodes, and shows the final state of each payment and the effect of each fault.
    It needs no network and leaves no files.

    On a terminal, it also serves the dashboard, prints its URL, and keeps it open after the
    summary, with new blocks and payments, until Ctrl-C or SIGTERM. With --fast, or without a
    terminal, there is no dashboard and the demo ends after the summary.

    Exit status: 0 if every transaction ended as the chain says, 1 if one did not, 2 for bad input.

    Args:
        fast: Run at full speed: a block every 0.05 s, no pauses to read.
        transactions: Number of transactions to send.
    """
    try:
        with ended_by_sigterm():
            console = Console()
            stay = wait_for_signal if console.is_terminal and not fast else None
            speed = FAST if fast else SLOW
            correct = await run_demo(console, payments=transactions, speed=speed, stay=stay)
    except DemoError as error:
        raise CommandError(str(error)) from None
    return OK if correct else TROUBLE
