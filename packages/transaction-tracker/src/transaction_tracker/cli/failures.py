"""Explain why the service did not start or stopped by itself."""

from beamish import ExitError, StartError
from transaction_tracker.cli.exits import NO_SOURCE, TROUBLE, CommandError
from transaction_tracker.domain import TrackerError
from transaction_tracker.sources import SourceError

_GAVE_UP = (
    "the service stopped because a process kept crashing after restarts; see the errors above. "
    "No data is lost: when you start the service again, it resumes"
)


def failure(error: StartError | ExitError) -> CommandError:
    """Return the text of our first error in the chain, or otherwise of the last cause."""
    if isinstance(error, ExitError) and error.reason == "shutdown":
        return CommandError(_GAVE_UP, TROUBLE)
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__) is not None:
        causes.append(cause)
    ours = [cause for cause in causes if isinstance(cause, TrackerError)]
    cause = ours[0] if ours else causes[-1]
    text = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
    return CommandError(text, NO_SOURCE if isinstance(cause, SourceError) else TROUBLE)
