"""When a source is asked no more for a while: not for one failure, but for several in a row."""

from collections.abc import Mapping

from transaction_tracker.follower.outage import Outage
from transaction_tracker.sources import (
    MalformedError,
    RateLimitedError,
    ServerError,
    SourceError,
    TransportError,
)
from transaction_tracker.sources.polled import LookUpResult

# A single failure may be one transaction's; several in a row are the source's.
_FAILURES_IN_A_ROW = 3
# What says that the source itself is in trouble, and not that it refuses one question.
_TROUBLE = (TransportError, RateLimitedError, ServerError, MalformedError)


class Trouble:
    """Tells from replies how a source is.

    Args:
        interval: The shortest pause in seconds.

    Attributes:
        fault: What the source answered last, when that was trouble; ``None`` otherwise.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._outage = Outage()
        self._failures = 0
        self.fault: SourceError | None = None

    @property
    def lasts(self) -> bool:
        """Whether the source has not answered since it was last left alone."""
        return self._outage.lasts

    def note(self, replies: Mapping[str, LookUpResult], *, paused: bool) -> float | None:
        """Note what came of a question.

        Args:
            replies: To all that was asked at once.
            paused: Whether the source is left alone already; questions from before then tell
                nothing new about its trouble.

        Returns:
            Seconds to leave it alone from now on; ``None`` to go on.
        """
        errors = [reply for reply in replies.values() if isinstance(reply, _TROUBLE)]
        if len(errors) < len(replies):
            self._failures = 0
            self.fault = None
            self._outage.over()
            return None
        if errors:
            self.fault = errors[0]
        if not errors or paused:
            return None
        self._failures += 1
        limit = next((error for error in errors if isinstance(error, RateLimitedError)), None)
        if limit is None and self._failures < _FAILURES_IN_A_ROW and not self.lasts:
            return None
        return self._outage.failed(limit or errors[0], self._interval)
