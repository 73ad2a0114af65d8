"""When the next page of a source's feed is read, and where it starts."""

from transaction_tracker.follower.outage import Outage
from transaction_tracker.sources import SourceError

# A feed that has always more pages must not keep the source busy: the rest is read after the
# feed interval.
_MAX_PAGES_IN_A_ROW = 20


class FeedSchedule:
    """When the next page of a feed is read. Times are seconds of the event loop.

    Args:
        interval: Seconds between two reads.
        patience: Seconds within which the source is asked about each transaction anyway.

    Attributes:
        place: Where the next page starts; ``None`` for the start of the feed.
    """

    def __init__(self, interval: float, patience: float) -> None:
        self.place: str | None = None
        self._interval = interval
        self._patience = patience
        self._outage = Outage()
        self._due = 0.0
        self._is_reading = False
        self._pages = 0  # in a row, each followed by another
        self._reconciled = float("-inf")

    def begin(self, now: float) -> bool:
        """Return whether a page must be read now; if so, none is read until it has come."""
        if self._is_reading or now < self._due:
            return False
        self._is_reading = True
        return True

    def ended(self, now: float) -> None:
        """Schedule the next page; the last one has come, or its error."""
        self._is_reading = False
        self._due = now + self._interval

    def failed(self, error: SourceError, now: float) -> None:
        """Delay the next page after an error, the longer the more errors there are in a row."""
        self._due = now + self._outage.failed(error, self._interval)

    def responded(self) -> None:
        """End the outage: the source has sent a page."""
        self._outage.over()

    def stored(self, now: float, *, has_more: bool) -> bool:
        """Return whether the next page is read at once, after the last one is stored.

        Args:
            now: The time.
            has_more: Whether the source says that the feed goes on.
        """
        self._pages = self._pages + 1 if has_more else 0
        if not 0 < self._pages < _MAX_PAGES_IN_A_ROW:
            self._pages = 0
            return False
        self._due = now
        return True

    def restarted(self, now: float) -> bool:
        """Return whether to ask about all transactions, because the place was lost.

        The feed can lack the entries between the lost place and its start.
        """
        self.place = None
        if now < self._reconciled + self._patience:
            return False
        self._reconciled = now
        return True
