"""Ends of waiting transactions that providers do not let us decide: reported when that lasts."""

import time
from dataclasses import replace

from transaction_tracker.follower.status import FollowerStatus
from transaction_tracker.follower.verdict import Note


class Undecided:
    """Transactions whose deadline has passed, or that are lost, while providers disagree.

    Such a transaction gets no end. That must not last without a report.

    Args:
        status: Where the transaction that has waited longest is reported.
    """

    def __init__(self, status: FollowerStatus) -> None:
        self._status = status
        self._notes: dict[str, Note] = {}

    @property
    def transactions(self) -> tuple[str, ...]:
        """The transactions that wait for a decision."""
        return tuple(self._notes)

    def note(self, transaction: str, reason: str) -> None:
        """Note that a transaction's end could not be decided."""
        before = self._notes.get(transaction)
        since = time.monotonic() if before is None else before.since
        self._notes[transaction] = Note(reason, since)

    def forget(self, transaction: str) -> None:
        """Forget a transaction: it is decided, or waits for nothing."""
        if self._notes.pop(transaction, None) is not None:
            self.report()

    def report(self) -> None:
        """Report the transaction that has waited longest."""
        if not self._notes:
            self._status.undecided(None)
            return
        key, note = min(self._notes.items(), key=lambda item: item[1].since)
        others = len(self._notes) - 1
        more = f" (and of {others} more)" if others else ""
        text = f"the end of {key}{more} is not decided: {note.text}"
        self._status.undecided(replace(note, text=text))
