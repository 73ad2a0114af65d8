"""What the replies of a source without blocks come to: facts that may be believed."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from transaction_tracker.domain import Late, Reported, State, Sweep, Tracked
from transaction_tracker.follower.agreement import Agreement
from transaction_tracker.follower.evidence import Facts
from transaction_tracker.follower.watch import Watch
from transaction_tracker.sources import SourceError
from transaction_tracker.sources.polled import BAD_ENDS, LookUpResult
from transaction_tracker.store import Book

# In these a transaction whose deadline has passed has expired.
_OPEN: frozenset[State] = frozenset(("pending", "missing"))


@dataclass(slots=True)
class Findings:
    """What replies come to.

    Attributes:
        facts: About open transactions.
        taken_back: Confirmed transactions that are so no more, and why.
    """

    facts: Facts = field(default_factory=dict)
    taken_back: dict[str, Reported] = field(default_factory=dict)


class Judge:
    """Tells what may be believed of what a source says.

    A bad end is believed when it was told several times in a row, and asked about again soon
    until then. An error is no answer: it neither adds to the count nor ends the row.

    Args:
        book: The open transactions.
        sweep: When to ask about whom.
        watch: The confirmed transactions that can be reversed.
        agree: How often a bad end must be told.
    """

    def __init__(self, book: Book, sweep: Sweep, watch: Watch, agree: int) -> None:
        self._book = book
        self._sweep = sweep
        self._watch = watch
        self._agreement = Agreement(agree)

    def of_replies(self, replies: Mapping[str, LookUpResult]) -> Findings:
        """Judge what came of questions."""
        findings = Findings()
        for key, reply in replies.items():
            tracked = self._book.get(key)
            if tracked is not None:
                self._open(tracked, reply, findings)
            else:
                self._ended(key, reply, findings)
        return findings

    def of_entries(
        self, entries: tuple[tuple[str, Reported | None], ...]
    ) -> tuple[Facts, list[str]]:
        """Judge what a feed says: good news are facts, of all else it says whom to ask about."""
        facts: Facts = {}
        doubtful: dict[str, None] = {}
        for key, reported in entries:
            if reported is None or reported.state in BAD_ENDS:
                doubtful[key] = None
            elif self._book.get(key) is not None:
                self._agreement.forget(key)
                facts[key] = (*facts.get(key, ()), reported)
        return facts, list(doubtful)

    def forget(self, transaction: str) -> None:
        """Forget what was heard of a transaction."""
        self._agreement.forget(transaction)

    def _open(self, tracked: Tracked, reply: LookUpResult, findings: Findings) -> None:
        if isinstance(reply, SourceError):
            return
        end = None if reply is None else _bad_end(tracked, reply)
        if end is None:
            self._agreement.forget(tracked.id)
        believed = end is not None and self._is_believed(tracked.id, end)
        if reply is not None and (believed or reply.state not in BAD_ENDS):
            # That its time has come is no news until it is believed that nothing else has.
            late = (Late(time.time()),) if believed and reply.state in _OPEN else ()
            findings.facts[tracked.id] = (reply, *late)

    def _ended(self, key: str, reply: LookUpResult, findings: Findings) -> None:
        if isinstance(reply, SourceError):
            return
        self._sweep.forget(key)
        if key not in self._watch or reply is None or reply.state not in BAD_ENDS:
            self._agreement.forget(key)
        elif self._is_believed(key, reply.state):
            findings.taken_back[key] = _reversal(reply)

    def _is_believed(self, key: str, end: State) -> bool:
        if self._agreement.hears(key, end):
            return True
        self._sweep.again(key, asyncio.get_running_loop().time())
        return False


def _bad_end(tracked: Tracked, reply: Reported) -> State | None:
    """Say which bad end a reply would be."""
    if reply.state in BAD_ENDS:
        # Dropped is an end that can be told again and again.
        return reply.state if reply.state != tracked.state else None
    late = tracked.deadline is not None and time.time() >= tracked.deadline
    return "expired" if late and reply.state in _OPEN else None


def _reversal(reply: Reported) -> Reported:
    """Call whatever undoes a confirmed transaction by its name."""
    if reply.state == "reversed":
        return reply
    why = f": {reply.error}" if reply.error else ""
    return Reported("reversed", f"{reply.state} after it was confirmed{why}")
