"""The evaluation of replies of a source without blocks: which of them are facts."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from transaction_tracker.domain import Late, Reported, State, Sweep, Tracked
from transaction_tracker.follower.evidence import Facts
from transaction_tracker.follower.repeated_answers import RepeatedAnswers
from transaction_tracker.follower.watch import Watch
from transaction_tracker.sources import SourceError
from transaction_tracker.sources.polled import BAD_ENDS, LookUpResult
from transaction_tracker.store import OpenTransactions

# A transaction in one of these states expires at its deadline.
_OPEN: frozenset[State] = frozenset(("pending", "missing"))


@dataclass(slots=True)
class Findings:
    """The result of an evaluation.

    Attributes:
        facts: Facts about open transactions.
        taken_back: Reversals of confirmed transactions, by transaction.
    """

    facts: Facts = field(default_factory=dict)
    taken_back: dict[str, Reported] = field(default_factory=dict)


class ReplyEvaluator:
    """Decides which replies of a source are facts.

    A bad final state is believed once it has been reported several times in a row; until then,
    the source is asked again soon. An error neither counts nor interrupts the row.

    Args:
        open_transactions: The transactions that are not final, in memory.
        sweep: Schedule of the questions about open transactions.
        watch: The confirmed transactions that can be reversed.
        agree: Number of equal replies in a row that are believed.
    """

    def __init__(
        self, open_transactions: OpenTransactions, sweep: Sweep, watch: Watch, agree: int
    ) -> None:
        self._open_transactions = open_transactions
        self._sweep = sweep
        self._watch = watch
        self._repeated = RepeatedAnswers(agree)

    def evaluate(self, replies: Mapping[str, LookUpResult]) -> Findings:
        """Evaluate the replies to a look-up."""
        findings = Findings()
        for key, reply in replies.items():
            tracked = self._open_transactions.get(key)
            if tracked is not None:
                self._evaluate_open(tracked, reply, findings)
            else:
                self._evaluate_final(key, reply, findings)
        return findings

    def evaluate_feed(
        self, entries: tuple[tuple[str, Reported | None], ...]
    ) -> tuple[Facts, list[str]]:
        """Evaluate entries of a feed.

        Returns:
            The facts, and the transactions that the source must be asked about: those with a bad
            final state, and those of which the entry gives no state.
        """
        facts: Facts = {}
        doubtful: dict[str, None] = {}
        for key, reported in entries:
            if reported is None or reported.state in BAD_ENDS:
                doubtful[key] = None
            elif self._open_transactions.get(key) is not None:
                self._repeated.forget(key)
                facts[key] = (*facts.get(key, ()), reported)
        return facts, list(doubtful)

    def forget(self, transaction: str) -> None:
        """Forget the replies about a transaction."""
        self._repeated.forget(transaction)

    def _evaluate_open(self, tracked: Tracked, reply: LookUpResult, findings: Findings) -> None:
        if isinstance(reply, SourceError):
            return
        end = None if reply is None else _bad_end(tracked, reply)
        if end is None:
            self._repeated.forget(tracked.id)
        believed = end is not None and self._is_believed(tracked.id, end)
        if reply is not None and (believed or reply.state not in BAD_ENDS):
            # The deadline counts only once the open state is believed: one outdated reply must
            # not make a transaction expire.
            late = (Late(time.time()),) if believed and reply.state in _OPEN else ()
            findings.facts[tracked.id] = (reply, *late)

    def _evaluate_final(self, key: str, reply: LookUpResult, findings: Findings) -> None:
        if isinstance(reply, SourceError):
            return
        self._sweep.forget(key)
        if key not in self._watch or reply is None or reply.state not in BAD_ENDS:
            self._repeated.forget(key)
        elif self._is_believed(key, reply.state):
            findings.taken_back[key] = _reversal(reply)

    def _is_believed(self, key: str, end: State) -> bool:
        if self._repeated.note(key, end):
            return True
        self._sweep.again(key, asyncio.get_running_loop().time())
        return False


def _bad_end(tracked: Tracked, reply: Reported) -> State | None:
    """Return the bad final state that would follow from a reply, or ``None``."""
    if reply.state in BAD_ENDS:
        # A dropped transaction is still asked about. To count the same state again would restart
        # its delays with each reply.
        return reply.state if reply.state != tracked.state else None
    late = tracked.deadline is not None and time.time() >= tracked.deadline
    return "expired" if late and reply.state in _OPEN else None


def _reversal(reply: Reported) -> Reported:
    """Return a bad final state after confirmation as a reversal."""
    if reply.state == "reversed":
        return reply
    why = f": {reply.error}" if reply.error else ""
    return Reported("reversed", f"{reply.state} after it was confirmed{why}")
