"""When to pause requests to a source without blocks: after several failures in a row."""

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

# A single failure can concern one transaction only; several in a row concern the source.
_FAILURES_IN_A_ROW = 3
# Errors of the source as a whole. Other errors concern the transaction that was asked about.
_SOURCE_ERRORS = (TransportError, RateLimitedError, ServerError, MalformedError)


class SourceBreaker:
    """Decides when requests to a source pause, by its replies.

    Args:
        min_pause: Minimum pause in seconds.

    Attributes:
        fault: The last error of the source; ``None`` after a look-up with another reply.
    """

    def __init__(self, min_pause: float) -> None:
        self._min_pause = min_pause
        self._outage = Outage()
        self._failures = 0
        self.fault: SourceError | None = None

    @property
    def tripped(self) -> bool:
        """Whether there has been a pause, and no usable reply since."""
        return self._outage.lasts

    def note(self, replies: Mapping[str, LookUpResult], *, paused: bool) -> float | None:
        """Record the replies to one look-up.

        Args:
            replies: All replies of the look-up.
            paused: Whether requests are paused already. A look-up that was sent before the pause
                does not lengthen it.

        Returns:
            Seconds to pause from now on; ``None`` to continue.
        """
        errors = [reply for reply in replies.values() if isinstance(reply, _SOURCE_ERRORS)]
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
        if limit is None and self._failures < _FAILURES_IN_A_ROW and not self.tripped:
            return None
        return self._outage.failed(limit or errors[0], self._min_pause)
