"""How ``txtrack`` ends: its exit statuses, and errors that need no traceback."""

from collections.abc import Collection
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

# The states that a wait can end in, the worst first: of many transactions the worst one counts.
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
    """The command cannot go on; the message is for the person who typed it."""

    logged = False
    """Whether the message is in the log already, and must not be printed as well."""

    def __init__(self, message: str, status: int = TROUBLE) -> None:
        super().__init__(message)
        self.status = status


class BadInputError(CommandError):
    """What was typed makes no sense."""

    def __init__(self, message: str) -> None:
        super().__init__(message, BAD_INPUT)


def of_states(states: Collection[str]) -> int:
    """Give the exit status for the states that transactions ended in."""
    return next((status for state, status in OF_STATES.items() if state in states), OK)
