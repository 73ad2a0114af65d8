"""Transactions whose end cannot be decided from the providers' answers: reported if that lasts."""

from dataclasses import replace
from typing import Literal, TypeAlias, get_args

from transaction_tracker.follower.status import FollowerStatus
from transaction_tracker.follower.verdict import Note

# Why the end of a transaction is undecided. "decision": the providers disagree although an end is
# due. "answer": no answer about it is a fact. "tag": it waits for a tag whose block the followed
# provider does not report.
Topic: TypeAlias = Literal["decision", "answer", "tag"]
TOPICS: tuple[Topic, ...] = get_args(Topic)

# A single answer without a fact is normal, and the next question can be minutes later: without
# this minimum, it would be reported although nothing is wrong.
MIN_ANSWERS = 3


class Undecided:
    """Transactions whose end cannot be decided. The one that has waited longest is reported.

    Args:
        status: Gets the report.
    """

    def __init__(self, status: FollowerStatus) -> None:
        self._status = status
        self._notes: dict[tuple[Topic, str], Note] = {}

    def transactions(self, *topics: Topic) -> tuple[str, ...]:
        """Return the transactions that are undecided for one of these reasons."""
        return tuple(key for topic, key in self._notes if topic in topics)

    def note(self, transaction: str, reason: str, topic: Topic = "decision") -> None:
        """Record that the end of a transaction could not be decided.

        Args:
            transaction: The transaction.
            reason: Why, in words for an operator.
            topic: The kind of reason; each kind is recorded apart.
        """
        before = self._notes.get((topic, transaction))
        note = Note(reason, self._status.now())
        if before is not None:
            note = Note(reason, before.since, before.times + 1)
        self._notes[topic, transaction] = note

    def forget(self, transaction: str, *topics: Topic) -> None:
        """Remove a transaction that is decided or no longer waits.

        Args:
            transaction: The transaction.
            *topics: The reasons to remove. Default: all.
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
