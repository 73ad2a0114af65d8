"""How ``txtrack`` ends: its exit statuses, and errors that need no traceback."""

from typing import Final

OK: Final = 0
TROUBLE: Final = 1
BAD_INPUT: Final = 2
FAILED: Final = 3
REPLACED: Final = 4
NOT_ENDED: Final = 5
NO_SOURCE: Final = 6
INTERRUPTED: Final = 130
TERMINATED: Final = 143


class CommandError(Exception):
    """The command cannot go on; the message is for the person who typed it."""

    def __init__(self, message: str, status: int = TROUBLE) -> None:
        super().__init__(message)
        self.status = status


class BadInputError(CommandError):
    """What was typed makes no sense."""

    def __init__(self, message: str) -> None:
        super().__init__(message, BAD_INPUT)
