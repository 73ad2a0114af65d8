"""Collect the providers' votes on ends: one request each, then more for open votes."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from transaction_tracker.domain import BlockRef
from transaction_tracker.slices import Slices, Steps
from transaction_tracker.sources.answers import Ending, FetchedBlock
from transaction_tracker.sources.ethereum import decode, votes
from transaction_tracker.sources.ethereum.context import ChainContext
from transaction_tracker.sources.ethereum.receipts import BLOCK_RECEIPTS, MANY_HITS
from transaction_tracker.sources.ethereum.rpc import Request, Rpc
from transaction_tracker.sources.ethereum.votes import Vote

# Results of each provider, by its name.
Answers: TypeAlias = Mapping[str, Mapping[Request, Any]]
# Votes by transaction, then by provider.
Votes: TypeAlias = dict[str, dict[str, Vote]]
_Open: TypeAlias = list[tuple[str, str]]  # transaction and provider

# Number of providers that must agree with an end, if so many can be asked.
QUORUM = 2
_HEAD = Request("eth_blockNumber", (), votes.height_of)


class VoteReader:
    """Collects each provider's vote on ends.

    Args:
        rpc: Client of the nodes.
        context: Facts about the chain.
    """

    def __init__(self, rpc: Rpc, context: ChainContext) -> None:
        self._rpc = rpc
        self._context = context

    def requests(self, endings: Mapping[str, Ending]) -> list[Request]:
        """Return the first requests about ends for each provider, besides those for blocks."""
        # A single provider has sent its receipts and transactions already.
        mined = endings if self._rpc.is_compared else {}
        receipts = self._receipts(mined).values()
        transactions = self._transactions(mined).values()
        taken = {key: end for key, end in endings.items() if end.winner and end.slots}
        winners = [self._transaction(end.winner) for end in taken.values() if end.winner]
        losers = map(self._loser, taken)
        return list(dict.fromkeys([*receipts, *transactions, *winners, *losers]))

    def content_requests(self, block: BlockRef, keys: Collection[str]) -> list[Request]:
        """Return the requests for the contents of transactions that end in their own block."""
        if not keys or not self._rpc.is_compared:
            return []
        if len(keys) > self._max_single_contents:
            return [self._block(block)]
        return [self._transaction(key) for key in keys]

    async def votes(self, endings: Mapping[str, Ending], answers: Answers) -> Votes:
        """Return each provider's vote on each end.

        If fewer than ``QUORUM`` providers agree, those without a clear answer are asked for the
        block and, if it lists the transaction, for the receipt in another way. If all providers
        are healthy, neither is needed.

        Args:
            endings: Ends by transaction.
            answers: Results of ``requests`` for each provider.
        """
        found: Votes = {}
        receipts, transactions = self._receipts(endings), self._transactions(endings)
        answers = {name: _indexed(own) for name, own in answers.items()}
        async for part in Slices(endings.items()):
            for key, end in part:
                if end.winner is not None and end.slots:
                    found[key] = self._of_winner(key, end, answers)
                elif end.succeeded is not None and self._rpc.is_compared:
                    of_receipts = _of_receipts(
                        _id(key, end),
                        end,
                        {name: own.get(receipts[key]) for name, own in answers.items()},
                    )
                    found[key] = {
                        name: self._with_transaction(vote, key, end, answers[name], transactions)
                        for name, vote in of_receipts.items()
                    }
        if self._rpc.is_compared:
            await self._ask_for_blocks(found, endings)
            await self._ask_for_receipts(found, endings)
        return found

    def _of_winner(self, key: str, end: Ending, answers: Answers) -> dict[str, Vote]:
        winner, loser = self._transaction(end.winner or ""), self._loser(key)
        return {
            name: votes.of_winner(end, own.get(winner), own.get(loser))
            for name, own in answers.items()
        }

    def _with_transaction(
        self,
        of_receipt: Vote,
        key: str,
        end: Ending,
        own: Mapping[Request, Any],
        transactions: Mapping[str, Request],
    ) -> Vote:
        if key not in transactions:
            return of_receipt
        answer = own.get(transactions[key])
        if isinstance(answer, FetchedBlock):
            vote = votes.of_listing(_id(key, end), end, answer, self._context.profile)
        else:
            vote = votes.of_transaction(_id(key, end), end, answer)
        return votes.combined(of_receipt, vote)

    # -- Open votes

    async def _ask_for_blocks(self, found: Votes, endings: Mapping[str, Ending]) -> None:
        """Replace open votes by votes from the providers' blocks."""
        left = _open(found, lambda vote: vote.can_be_asked)

        def request(key: str) -> Request:
            return self._block(endings[key].block)

        answers = await self._each(left, lambda key: [request(key), _HEAD])
        for key, name in left:
            own = answers[name]
            block, head = own[request(key)], own[_HEAD]
            end = endings[key]
            vote = votes.of_block(_id(key, end), end, block, head, self._context.profile)
            found[key][name] = vote

    async def _ask_for_receipts(self, found: Votes, endings: Mapping[str, Ending]) -> None:
        """Request receipts of listed transactions in another way: singly or with their block.

        A provider can lack the index of transactions, or the method for all receipts of a block.
        """
        asked = self._receipts(endings)
        left = _open(found, lambda vote: vote.lists)

        def request(key: str) -> Request:
            if asked[key].method == BLOCK_RECEIPTS:
                return self._receipt(_id(key, endings[key]))
            return self._of_whole_block(endings[key].block)

        answers = await self._each(left, lambda key: [request(key)])
        for key, name in left:
            end, hash_ = endings[key], _id(key, endings[key])
            receipt = votes.receipt_of(hash_, answers[name][request(key)])
            vote = votes.of_receipt(hash_, end, receipt)
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
        return {
            name: _indexed(dict(zip(asked[name], own, strict=True)))
            for name, own in answers.items()
        }

    # -- Requests

    def _receipts(self, endings: Mapping[str, Ending]) -> dict[str, Request]:
        """Return the request for the receipt of each mined transaction."""
        # With more ends in one block, all its receipts cost less than single receipts.
        max_single = min(MANY_HITS, self._rpc.calls_per_request)
        return _by_block(endings, self._receipt, self._of_whole_block, max_single)

    def _transactions(self, endings: Mapping[str, Ending]) -> dict[str, Request]:
        """Return the request for the content of each mined transaction whose content is known."""
        known = {key: end for key, end in endings.items() if end.content is not None}
        return _by_block(known, self._transaction, self._block, self._max_single_contents)

    @property
    def _max_single_contents(self) -> int:
        # Two calls are made for each end, its receipt and its transaction: both fit in one request.
        return max(1, min(MANY_HITS, self._rpc.calls_per_request // 2))

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
            lambda value: decode.receipts_steps(value, self._context.profile),
        )

    def _transaction(self, key: str) -> Request:
        return Request("eth_getTransactionByHash", (key,), self._read_transaction)

    def _loser(self, key: str) -> Request:
        # Nodes delete a transaction once its slot is taken, so ``null`` is a valid result.
        return replace(self._transaction(key), takes_null=True)

    def _read_transaction(self, value: Any) -> decode.Found:
        return decode.found(value, self._context.profile)

    def _block(self, block: BlockRef) -> Request:
        # With its transactions: they show the slot of a winner, and what was paid.
        return Request("eth_getBlockByHash", (block.hash, True), self._read_block)

    def _read_block(self, value: Any) -> Steps[FetchedBlock]:
        return decode.block_steps(value, self._context.profile)


def _by_block(
    endings: Mapping[str, Ending],
    single: Callable[[str], Request],
    whole: Callable[[BlockRef], Request],
    max_single: int,
) -> dict[str, Request]:
    """Return a request for each mined transaction: of many in one block, that of the block."""
    by_block: dict[BlockRef, list[str]] = {}
    for key, end in endings.items():
        if end.succeeded is not None:
            by_block.setdefault(end.block, []).append(key)
    requests: dict[str, Request] = {}
    for block, keys in by_block.items():
        of_block = whole(block) if len(keys) > max_single else None
        requests |= {key: of_block or single(_id(key, endings[key])) for key in keys}
    return requests


def _id(key: str, end: Ending) -> str:
    """Return the hash of a transaction, also of one that is tracked by its slot."""
    return end.hash or key


def _indexed(results: Mapping[Request, Any]) -> dict[Request, Any]:
    """Index the receipts of whole blocks by transaction; the first receipt of each counts."""
    return {
        request: {receipt.id: receipt for receipt in reversed(result)}
        if isinstance(result, list)
        else result
        for request, result in results.items()
    }


def _of_receipts(key: str, end: Ending, answers: Mapping[str, Any]) -> dict[str, Vote]:
    receipts = {name: votes.receipt_of(key, answer) for name, answer in answers.items()}
    known = {name: item for name, item in receipts.items() if isinstance(item, decode.Receipt)}
    return {
        name: votes.of_receipt(
            key, end, receipt, (item for other, item in known.items() if other != name)
        )
        for name, receipt in receipts.items()
    }


def _open(found: Votes, is_open: Callable[[Vote], bool]) -> _Open:
    """Return the open votes on ends with which too few providers agree."""
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
