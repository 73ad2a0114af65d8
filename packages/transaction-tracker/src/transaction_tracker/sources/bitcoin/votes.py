"""Each provider's vote on an end that is about to be reported.

A block's hash proves which transactions it has, and an id what a transaction pays. So votes are
about what no hash proves: whether the block is on the provider's chain, and the fee.
"""

from collections.abc import Collection, Mapping
from typing import Any

from transaction_tracker.domain import BlockRef
from transaction_tracker.sources.answers import Ending
from transaction_tracker.sources.bitcoin import fields
from transaction_tracker.sources.bitcoin.context import BitcoinContext
from transaction_tracker.sources.bitcoin.found import Listed, listed_request, outcome_of
from transaction_tracker.sources.errors import ApplicationError, SourceError
from transaction_tracker.sources.ethereum.rpc import Request, Rpc
from transaction_tracker.sources.ethereum.vote_reader import Answers, Votes
from transaction_tracker.sources.ethereum.votes import AGREES, Vote

_HEAD = Request("getblockcount", (), lambda value: fields.height(value, "head"))


class BitcoinVotes:
    """Collects each provider's vote on ends; implements ``VoteCollector``.

    Args:
        rpc: Client of the nodes.
        context: Facts about the chain.
    """

    def __init__(self, rpc: Rpc, context: BitcoinContext) -> None:
        self._rpc = rpc
        self._context = context

    def requests(self, endings: Mapping[str, Ending]) -> list[Request]:
        """Return the requests for the transaction that decides each end, in its block."""
        if not endings or not self._rpc.is_compared:
            return []
        listed = [listed_request(end.winner or key, end.block) for key, end in endings.items()]
        return list(dict.fromkeys([_HEAD, *listed]))

    def content_requests(self, block: BlockRef, keys: Collection[str]) -> list[Request]:
        """Return the same requests for transactions whose ends are not expected yet."""
        if not keys or not self._rpc.is_compared:
            return []
        return [_HEAD, *(listed_request(key, block) for key in keys)]

    async def votes(self, endings: Mapping[str, Ending], answers: Answers) -> Votes:
        """Return each provider's vote on each end."""
        if not self._rpc.is_compared:
            return {}
        return {
            key: {
                name: _vote(
                    end, own.get(listed_request(end.winner or key, end.block)), own.get(_HEAD)
                )
                for name, own in answers.items()
            }
            for key, end in endings.items()
        }


def _vote(end: Ending, answer: Any, head: Any) -> Vote:
    """Return the vote from a provider's answer about the transaction that decides an end.

    Args:
        end: The end.
        answer: Result of ``listed_request``; ``None`` if the provider does not have the block.
        head: Height of its head, or an error.
    """
    place = f"block {end.block.number} ({end.block.hash})"
    if isinstance(answer, Listed):
        return _of_listed(end, answer, place)
    if answer is None:
        if isinstance(head, int) and head < end.block.number:
            return Vote("behind", f"is at block {head}, below it", head=head)
        return Vote("silent", f"does not have {place}")
    if isinstance(answer, ApplicationError) and "pruned" in str(answer):
        # Its header of that block is compared with ours; the transactions follow from the hash.
        return Vote("agrees", is_firm=False)
    if isinstance(answer, ApplicationError) and "in the provided block" in str(answer):
        return Vote("contradicts", f"does not list it in {place}")
    if isinstance(answer, SourceError):
        return Vote("silent", f"gives no answer about it: {answer}")
    return Vote("silent", "gives no answer about it")


def _of_listed(end: Ending, answer: Listed, place: str) -> Vote:
    if not answer.is_active:
        return Vote("contradicts", f"has {place} outside of its chain")
    if end.winner is not None:
        return AGREES
    outcome = outcome_of(answer.raw, answer.fee, None)
    conflicts = () if end.outcome is None else end.outcome.conflicts(outcome)
    if conflicts:
        return Vote("contradicts", f"says that it has another {' and '.join(conflicts)}", outcome)
    return AGREES
