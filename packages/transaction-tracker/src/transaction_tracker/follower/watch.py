"""Transactions that have ended well, and are looked at now and then all the same."""

from transaction_tracker.domain import Sweep
from transaction_tracker.sources.polled import PollingPolicy


class Watch:
    """Confirmed transactions that can still be reversed, the longer ago the less often.

    Time comes in as an argument: this is a value, not a clock.

    Args:
        policy: For how long they are looked at, and how often.
    """

    def __init__(self, policy: PollingPolicy) -> None:
        self._seconds = policy.watch_seconds
        self._sweep = Sweep(policy.watch_first_delay, policy.watch_longest_delay)
        self._confirmed_at: dict[str, float] = {}

    def __contains__(self, transaction: str) -> bool:
        return transaction in self._confirmed_at

    def __len__(self) -> int:
        return len(self._confirmed_at)

    def resume(self, transaction: str, confirmed_at: float, now: float) -> None:
        """Look at one soon: nobody did while the program was away.

        Args:
            transaction: Its id.
            confirmed_at: Unix seconds.
            now: The loop's time.
        """
        self._confirmed_at[transaction] = confirmed_at
        self._sweep.add(transaction, now)

    def add(self, transaction: str, confirmed_at: float, now: float) -> None:
        """Look at one later that is confirmed now; see ``resume``."""
        if self._seconds:
            self._confirmed_at[transaction] = confirmed_at
            self._sweep.again(transaction, now)

    def forget(self, transaction: str) -> None:
        """Look at one no more."""
        self._confirmed_at.pop(transaction, None)
        self._sweep.forget(transaction)

    def take_due(self, now: float, unix_now: float, limit: int) -> list[str]:
        """Give up to ``limit`` whose turn it is; those that were watched long enough go.

        Args:
            now: The loop's time.
            unix_now: Unix seconds.
            limit: How many at most.
        """
        taken: list[str] = []
        while len(taken) < limit and (due := self._sweep.take_due(now, limit - len(taken))):
            for transaction in due:
                if unix_now - self._confirmed_at[transaction] < self._seconds:
                    taken.append(transaction)
                else:
                    self.forget(transaction)
        return taken
