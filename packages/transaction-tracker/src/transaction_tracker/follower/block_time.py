"""When to ask for the next block, on a chain whose blocks arrive at regular intervals."""

from collections import deque

# Intervals between blocks that are kept, how many are needed, and which share must be similar.
_MAX_GAPS = 8
_MIN_GAPS = 5
_MIN_SIMILAR_PERCENT = 75
# A similar gap is at most this fraction plus one poll interval longer than the usual gap.
_TOLERANCE = 0.1
# The status must show that the source still responds, also where blocks are minutes apart.
_MAX_DELAY_SECONDS = 15.0


class BlockTime:
    """Learns the interval between blocks, so that the source is not asked in between.

    A block is still found within about one poll interval after it arrives. Where blocks arrive
    irregularly, the source is asked at every poll interval.

    Time is passed as an argument; this class reads no clock.

    Args:
        poll_interval: Seconds between requests for the head while a block is due.
    """

    def __init__(self, poll_interval: float) -> None:
        self._poll_interval = poll_interval
        self._gaps: deque[float] = deque(maxlen=_MAX_GAPS)
        self._number: int | None = None
        self._found_at = 0.0
        self._arrival_known = self._polled_without_block = False
        self._announced = False

    def found(self, number: int, asked_at: float, *, announced: bool) -> None:
        """Record the head that a request returned.

        Args:
            number: Height of the head.
            asked_at: Time of the event loop when the request was sent. The time of the response
                must not be used: the work for a block would count as part of the gap.
            announced: Whether a provider announces new heads, possibly after the request.
        """
        if number == self._number:
            self._polled_without_block = True
            self._announced = self._announced or announced
            return
        if self._number is not None and number > self._number:
            self._gaps.append((asked_at - self._found_at) / (number - self._number))
        self._arrival_known, self._polled_without_block = self._polled_without_block, False
        self._number, self._found_at, self._announced = number, asked_at, announced

    def delay(self, now: float) -> float:
        """Return the seconds until the next request for the head."""
        usual = self._usual_gap()
        if usual is None:
            return self._poll_interval
        due = self._found_at + usual - self._lead() - now
        return max(self._poll_interval, min(due, _MAX_DELAY_SECONDS))

    def _lead(self) -> float:
        """Return by how many seconds to ask before the block is due.

        Without a lead, one block that is found late would delay all requests after it.
        """
        if self._announced:
            return -self._poll_interval  # the request only replaces a lost announcement
        # A block that the first request returns can have arrived much earlier.
        return self._poll_interval / 8 if self._arrival_known else self._poll_interval

    def _usual_gap(self) -> float | None:
        """Return the second shortest gap if most gaps are similar to it, otherwise ``None``."""
        if len(self._gaps) < _MIN_GAPS:
            return None
        # The gap after a block that was found late is too short, so the shortest is not used.
        usual = sorted(self._gaps)[1]
        longest = usual * (1 + _TOLERANCE) + self._poll_interval
        similar = sum(gap <= longest for gap in self._gaps)
        return usual if similar * 100 >= _MIN_SIMILAR_PERCENT * len(self._gaps) else None
