"""Why an application did not start, or did not go on, for the person who started it."""

from beamish import ExitError, StartError
from transaction_tracker.cli.exits import NO_SOURCE, TROUBLE, CommandError
from transaction_tracker.domain import TrackerError
from transaction_tracker.sources import SourceError

_GAVE_UP = (
    "the service gave up: a part of it crashed again as often as it was restarted; the errors "
    "above say which and why. Nothing is lost: started again, it goes on where it was"
)


def failure(error: StartError | ExitError) -> CommandError:
    """Say it in our own words where they are below, else in those of whatever is lowest."""
    if isinstance(error, ExitError) and error.reason == "shutdown":
        return CommandError(_GAVE_UP, TROUBLE)
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__) is not None:
        causes.append(cause)
    ours = [cause for cause in causes if isinstance(cause, TrackerError)]
    cause = ours[0] if ours else causes[-1]
    text = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
    return CommandError(text, NO_SOURCE if isinstance(cause, SourceError) else TROUBLE)
