"""When the next block is due, on a chain whose blocks come regularly."""

from collections import deque

# So many gaps are remembered, from so many on they count, and so many in a hundred must be alike.
_GAPS = 8
_FEWEST_GAPS = 5
_ALIKE_PERCENT = 75
# Gaps are alike that are at most so much longer than the usual one, beside one poll interval.
_TOLERANCE = 0.1
# Somebody waits to hear that the source still answers.
_LONGEST_DELAY = 15.0


class BlockTime:
    """Learns how long it takes from block to block, so that nobody asks in between.

    Times come in as arguments: this is a value, not a clock. A block is still found within about
    one poll interval of its coming; where blocks come as they like, no question is left out.

    Args:
        poll_interval: Seconds between questions for the head while a block is due.
    """

    def __init__(self, poll_interval: float) -> None:
        self._poll_interval = poll_interval
        self._gaps: deque[float] = deque(maxlen=_GAPS)
        self._number: int | None = None
        self._found_at = 0.0
        self._was_awaited = self._waits = False
        self._announced = False

    def found(self, number: int, asked_at: float, *, announced: bool) -> None:
        """Note the head that was found.

        Args:
            number: Its height.
            asked_at: When the question was sent, by the loop's time: how long the answer and all
                that followed from it took is no part of the time between blocks.
            announced: Whether somebody tells when there is a new one, be it a moment later.
        """
        if number == self._number:
            self._waits = True
            self._announced = self._announced or announced
            return
        if self._number is not None and number > self._number:
            self._gaps.append((asked_at - self._found_at) / (number - self._number))
        self._was_awaited, self._waits = self._waits, False
        self._number, self._found_at, self._announced = number, asked_at, announced

    def delay(self, now: float) -> float:
        """Give the seconds until the next question for the head."""
        usual = self._usual_gap()
        if usual is None:
            return self._poll_interval
        due = self._found_at + usual - self._lead() - now
        return max(self._poll_interval, min(due, _LONGEST_DELAY))

    def _lead(self) -> float:
        """Give the seconds by which to ask early, or one that came late would do so for ever."""
        if self._announced:
            return -self._poll_interval  # only a lost announcement has to be noticed
        # One that was there at the first look may have been there for long.
        return self._poll_interval / 8 if self._was_awaited else self._poll_interval

    def _usual_gap(self) -> float | None:
        """Give the shortest gap but one, when most others are like it."""
        if len(self._gaps) < _FEWEST_GAPS:
            return None
        # After a block that was found late, the next one seems to come early.
        usual = sorted(self._gaps)[1]
        longest = usual * (1 + _TOLERANCE) + self._poll_interval
        alike = sum(gap <= longest for gap in self._gaps)
        return usual if alike * 100 >= _ALIKE_PERCENT * len(self._gaps) else None
