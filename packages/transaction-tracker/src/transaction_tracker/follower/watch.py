"""Confirmed transactions that the source is still asked about, because they can be reversed."""

from transaction_tracker.domain import Sweep
from transaction_tracker.sources.polled import PollingPolicy


class Watch:
    """Confirmed transactions that can still be reversed: asked about less and less often.

    Time is passed as an argument; this class reads no clock.

    Args:
        policy: For how long confirmed transactions are watched, and how often they are asked about.
    """

    def __init__(self, policy: PollingPolicy) -> None:
        self._seconds = policy.watch_for
        self._sweep = Sweep(policy.watch_first_delay, policy.watch_longest_delay)
        self._confirmed_at: dict[str, float] = {}

    def __contains__(self, transaction: str) -> bool:
        return transaction in self._confirmed_at

    def __len__(self) -> int:
        return len(self._confirmed_at)

    def resume(self, transaction: str, confirmed_at: float, now: float) -> None:
        """Watch a transaction that was confirmed before a restart; its turn comes at once.

        While the program was down, the source was not asked.

        Args:
            transaction: The transaction id.
            confirmed_at: When it was confirmed, in Unix seconds.
            now: The time of the event loop, in seconds.
        """
        self._confirmed_at[transaction] = confirmed_at
        self._sweep.add(transaction, now)

    def add(self, transaction: str, confirmed_at: float, now: float) -> None:
        """Watch a transaction that is confirmed now; its turn comes after the first delay.

        No effect if nothing is watched. The arguments are those of ``resume``.
        """
        if self._seconds:
            self._confirmed_at[transaction] = confirmed_at
            self._sweep.again(transaction, now)

    def forget(self, transaction: str) -> None:
        """Stop watching a transaction; no effect if it is not watched."""
        self._confirmed_at.pop(transaction, None)
        self._sweep.forget(transaction)

    def take_due(self, now: float, unix_now: float, limit: int) -> list[str]:
        """Return transactions whose turn has come; stop watching those whose time is over.

        Args:
            now: The time of the event loop, in seconds.
            unix_now: The time in Unix seconds.
            limit: Maximum number of transactions.
        """
        taken: list[str] = []
        while len(taken) < limit and (due := self._sweep.take_due(now, limit - len(taken))):
            for transaction in due:
                if unix_now - self._confirmed_at[transaction] < self._seconds:
                    taken.append(transaction)
                else:
                    self.forget(transaction)
        return taken
