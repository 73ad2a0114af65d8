"""Exit statuses of ``txtrack``, and errors that are printed without a traceback."""

import asyncio
import signal
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Final

OK: Final = 0
TROUBLE: Final = 1
BAD_INPUT: Final = 2
FAILED: Final = 3
REPLACED: Final = 4
NOT_ENDED: Final = 5
NO_SOURCE: Final = 6
DROPPED: Final = 7
EXPIRED: Final = 8
INVALID: Final = 9
UNTRACKED: Final = 10
REVERSED: Final = 11
INTERRUPTED: Final = 130
TERMINATED: Final = 143

# The states in which a wait can end, the worst first: of several transactions, the worst counts.
OF_STATES: Final[dict[str, int]] = {
    "reversed": REVERSED,
    "failed": FAILED,
    "invalid": INVALID,
    "dropped": DROPPED,
    "expired": EXPIRED,
    "replaced": REPLACED,
    "untracked": UNTRACKED,
}


class CommandError(Exception):
    """The command failed; the message is for its user."""

    logged = False
    """Whether the message is already in the log, so that it must not be printed again."""

    def __init__(self, message: str, status: int = TROUBLE) -> None:
        super().__init__(message)
        self.status = status


class BadInputError(CommandError):
    """The input of the command is invalid."""

    def __init__(self, message: str) -> None:
        super().__init__(message, BAD_INPUT)


def of_states(states: Collection[str]) -> int:
    """Return the exit status for the final states of transactions."""
    return next((status for state, status in OF_STATES.items() if state in states), OK)


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Cancel the current task at SIGTERM, while the block runs, as Ctrl-C does."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a command runs in a task
    loop = asyncio.get_running_loop()
    with suppress(NotImplementedError):  # Windows does not support signal handlers
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        yield
    finally:
        with suppress(NotImplementedError):
            loop.remove_signal_handler(signal.SIGTERM)
