"""Asking the providers about ends: first in one request each, then for what is open."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from transaction_tracker.domain import BlockRef
from transaction_tracker.sources.ethereum import decode, votes
from transaction_tracker.sources.ethereum.context import ChainContext
from transaction_tracker.sources.ethereum.receipts import BLOCK_RECEIPTS, MANY_HITS
from transaction_tracker.sources.ethereum.rpc import Request, Rpc
from transaction_tracker.sources.ethereum.votes import Vote
from transaction_tracker.sources.protocol import Ending

# What each provider answered, by its name.
Answers: TypeAlias = Mapping[str, Mapping[Request, Any]]
# What each provider says of each end: by transaction, then by provider.
Votes: TypeAlias = dict[str, dict[str, Vote]]
_Open: TypeAlias = list[tuple[str, str]]  # transaction and provider

# That many agree with an end before it is told, where so many can be asked.
QUORUM = 2
_HEAD = Request("eth_blockNumber", (), votes.height_of)


class VoteReader:
    """Asks what each provider says of ends.

    Args:
        rpc: Asks the nodes.
        context: The chain.
    """

    def __init__(self, rpc: Rpc, context: ChainContext) -> None:
        self._rpc = rpc
        self._context = context

    def requests(self, endings: Mapping[str, Ending]) -> list[Request]:
        """Return what each provider is asked about ends first, besides their blocks."""
        # A single provider has given its receipts already.
        receipts = self._receipts(endings).values() if self._rpc.is_compared else ()
        taken = {key: end for key, end in endings.items() if end.winner and end.slot}
        winners = [self._winner(end.winner) for end in taken.values() if end.winner]
        return list(dict.fromkeys([*receipts, *winners, *map(self._loser, taken)]))

    async def votes(self, endings: Mapping[str, Ending], answers: Answers) -> Votes:
        """Return what each provider says of each end.

        Where fewer than ``QUORUM`` agree, those that say neither yes nor no are asked for the
        block and, if it lists the transaction, for all its receipts. A healthy set of providers
        is asked for neither.

        Args:
            endings: The ends.
            answers: What each provider answered to ``requests``.
        """
        found: Votes = {}
        receipts = self._receipts(endings)
        for key, end in endings.items():
            if end.winner is not None and end.slot is not None:
                found[key] = self._of_winner(key, end, answers)
            elif end.succeeded is not None and self._rpc.is_compared:
                found[key] = _of_receipts(
                    key, end, {name: told.get(receipts[key]) for name, told in answers.items()}
                )
        if self._rpc.is_compared:
            await self._ask_for_blocks(found, endings)
            await self._ask_for_receipts(found, endings)
        return found

    def _of_winner(self, key: str, end: Ending, answers: Answers) -> dict[str, Vote]:
        winner, loser = self._winner(end.winner or ""), self._loser(key)
        return {
            name: votes.of_winner(end, told.get(winner), told.get(loser))
            for name, told in answers.items()
        }

    # -- Asking again

    async def _ask_for_blocks(self, found: Votes, endings: Mapping[str, Ending]) -> None:
        """Settle by the blocks what is open."""
        left = _open(found, lambda vote: vote.can_be_asked)
        # Of a winner the block itself tells which slot it took.
        whole = {endings[key].block for key, _ in left if endings[key].winner is not None}

        def request(key: str) -> Request:
            block = endings[key].block
            return Request("eth_getBlockByHash", (block.hash, block in whole), self._read_block)

        answers = await self._each(left, lambda key: [request(key), _HEAD])
        for key, name in left:
            told = answers[name]
            vote = votes.of_block(key, endings[key], told[request(key)], told[_HEAD])
            found[key][name] = vote

    async def _ask_for_receipts(self, found: Votes, endings: Mapping[str, Ending]) -> None:
        """Ask in the other way for receipts that are missing of what a block lists.

        A provider can lack the index of transactions, or the method for all receipts of a block.
        """
        asked = self._receipts(endings)
        left = _open(found, lambda vote: vote.lists)

        def request(key: str) -> Request:
            if asked[key].method == BLOCK_RECEIPTS:
                return self._receipt(key)
            return self._of_whole_block(endings[key].block)

        answers = await self._each(left, lambda key: [request(key)])
        for key, name in left:
            receipt = votes.receipt_of(key, answers[name][request(key)])
            vote = votes.of_receipt(key, endings[key], receipt)
            if vote.stance != "silent":
                found[key][name] = vote

    async def _each(
        self, left: _Open, requests: Callable[[str], Sequence[Request]]
    ) -> dict[str, dict[Request, Any]]:
        wanted: defaultdict[str, dict[Request, None]] = defaultdict(dict)
        for key, name in left:
            wanted[name] |= dict.fromkeys(requests(key))
        asked = {name: list(own) for name, own in wanted.items()}
        answers = await self._rpc.each(asked) if asked else {}
        return {name: dict(zip(asked[name], told, strict=True)) for name, told in answers.items()}

    # -- The requests

    def _receipts(self, endings: Mapping[str, Ending]) -> dict[str, Request]:
        """Return for each mined transaction the request that tells its receipt."""
        by_block: dict[BlockRef, list[str]] = {}
        for key, end in endings.items():
            if end.succeeded is not None:
                by_block.setdefault(end.block, []).append(key)
        # From so many ends in one block on, all its receipts cost less than those of the ends.
        most = min(MANY_HITS, self._rpc.calls_per_request)
        requests: dict[str, Request] = {}
        for block, keys in by_block.items():
            whole = self._of_whole_block(block) if len(keys) > most else None
            requests |= {key: whole or self._receipt(key) for key in keys}
        return requests

    def _receipt(self, key: str) -> Request:
        return Request(
            "eth_getTransactionReceipt",
            (key,),
            lambda value: decode.receipt(value, self._context.profile),
        )

    def _of_whole_block(self, block: BlockRef) -> Request:
        return Request(
            BLOCK_RECEIPTS,
            (block.hash,),
            lambda value: decode.receipts(value, self._context.profile),
        )

    def _winner(self, key: str) -> Request:
        return Request("eth_getTransactionByHash", (key,), self._read_transaction)

    def _loser(self, key: str) -> Request:
        # Once its slot is taken, nodes forget it.
        return replace(self._winner(key), takes_null=True)

    def _read_transaction(self, value: Any) -> decode.Found:
        return decode.found(value, self._context.profile)

    def _read_block(self, value: Any) -> Any:
        return decode.block(value, self._context.profile)


def _of_receipts(key: str, end: Ending, answers: Mapping[str, Any]) -> dict[str, Vote]:
    receipts = {name: votes.receipt_of(key, answer) for name, answer in answers.items()}
    known = {name: one for name, one in receipts.items() if isinstance(one, decode.Receipt)}
    return {
        name: votes.of_receipt(
            key, end, receipt, (one for other, one in known.items() if other != name)
        )
        for name, receipt in receipts.items()
    }


def _open(found: Votes, is_open: Callable[[Vote], bool]) -> _Open:
    """Return which providers can still settle which ends that too few agree with."""
    return [
        (key, name)
        for key, own in found.items()
        if len(agreeing(own)) < QUORUM
        for name, vote in own.items()
        if is_open(vote)
    ]


def agreeing(ballot: Mapping[str, Vote]) -> tuple[str, ...]:
    """Return the names of the providers that agree."""
    return tuple(name for name, vote in ballot.items() if vote.stance == "agrees")
