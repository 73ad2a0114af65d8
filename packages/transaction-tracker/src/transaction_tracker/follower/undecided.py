"""Ends of waiting transactions that providers do not let us decide: reported when that lasts."""

import time
from dataclasses import replace
from typing import Literal, TypeAlias, get_args

from transaction_tracker.follower.status import FollowerStatus
from transaction_tracker.follower.verdict import Note

# Why a transaction has no end: providers disagree on a decision that is due; no answer about it is
# a fact; or nobody tells the block of the tag that it waits for.
Topic: TypeAlias = Literal["decision", "answer", "tag"]
TOPICS: tuple[Topic, ...] = get_args(Topic)

# A single answer without a fact is usual; the next question about an old one can be far away.
MIN_ANSWERS = 3


class Undecided:
    """Transactions that get no end because of what providers say, or do not say.

    That must not last without a report.

    Args:
        status: Where the transaction that has waited longest is reported.
    """

    def __init__(self, status: FollowerStatus) -> None:
        self._status = status
        self._notes: dict[tuple[Topic, str], Note] = {}

    def transactions(self, *topics: Topic) -> tuple[str, ...]:
        """Return the transactions that wait for any of these reasons."""
        return tuple(key for topic, key in self._notes if topic in topics)

    def note(self, transaction: str, reason: str, topic: Topic = "decision") -> None:
        """Note that a transaction's end could not be decided."""
        before = self._notes.get((topic, transaction))
        note = Note(reason, time.monotonic())
        if before is not None:
            note = Note(reason, before.since, before.times + 1)
        self._notes[topic, transaction] = note

    def forget(self, transaction: str, *topics: Topic) -> None:
        """Forget a transaction: it is decided, or waits for nothing.

        Args:
            transaction: The transaction.
            *topics: The reasons that are gone; all of them if none is given.
        """
        found = [self._notes.pop((topic, transaction), None) for topic in topics or TOPICS]
        if any(found):
            self.report()

    def report(self) -> None:
        """Report the transaction that has waited longest."""
        notes = {
            key: note
            for (topic, key), note in self._notes.items()
            if topic != "answer" or note.times >= MIN_ANSWERS
        }
        if not notes:
            self._status.undecided(None)
            return
        key, note = min(notes.items(), key=lambda item: item[1].since)
        others = len(notes) - 1
        more = f" (and of {others} more)" if others else ""
        text = f"the end of {key}{more} is not decided: {note.text}"
        self._status.undecided(replace(note, text=text))
