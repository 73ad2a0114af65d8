"""Outcomes of transactions in blocks: from receipts, and from calls if a receipt is incomplete."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from msgspec.structs import replace

from transaction_tracker.domain import BlockRef, Outcome
from transaction_tracker.slices import Slices
from transaction_tracker.sources.answers import FetchedBlock, Unreadable
from transaction_tracker.sources.errors import MalformedError, NotYetError, SourceError
from transaction_tracker.sources.ethereum import decode, details, reasons
from transaction_tracker.sources.ethereum.context import ChainContext
from transaction_tracker.sources.ethereum.receipts import BLOCK_RECEIPTS, MANY_HITS, BlockReceipts
from transaction_tracker.sources.ethereum.retries import NOT_YET_WAITS
from transaction_tracker.sources.ethereum.revert_data import ErrorTable
from transaction_tracker.sources.ethereum.rpc import Request, Rpc
from transaction_tracker.sources.ethereum.statuses import Statuses

Outcomes = dict[str, Outcome | Unreadable | None]


@dataclass(slots=True)
class _Found:
    """Receipts that have arrived, and the transactions whose receipts are unreadable or refused."""

    receipts: dict[str, decode.Receipt] = field(default_factory=dict)
    unreadable: dict[str, Unreadable] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)

    def missing(self, ids: Collection[str]) -> list[str]:
        return [key for key in ids if key not in self.receipts and key not in self.unreadable]

    def late(self, ids: Collection[str]) -> list[str]:
        """Return the ids of missing receipts that the node can have soon."""
        return [key for key in self.missing(ids) if key not in self.refused]

    def add(self, key: str, answer: Any) -> None:
        match answer:
            case decode.Receipt():
                self.receipts[key] = answer
            case MalformedError():
                self.unreadable[key] = Unreadable(str(answer))
            case SourceError() if not isinstance(answer, NotYetError):
                # A rate limit too: it is about this call, because the request was answered.
                self.refused.add(key)


class OutcomeReader:
    """Fetches the outcomes of transactions.

    Args:
        rpc: Client of the nodes.
        context: Facts about the chain.
        errors: Known custom errors of contracts.
    """

    def __init__(self, rpc: Rpc, context: ChainContext, errors: ErrorTable | None = None) -> None:
        self._rpc = rpc
        self._context = context
        self._errors = errors
        self._statuses = Statuses(rpc, context)
        self._block_receipts = BlockReceipts(rpc, context)

    def prefetch(self, block_hash: str) -> None:
        """Start to fetch the receipts of a block that is being fetched, if they can be needed."""
        self._block_receipts.prefetch(block_hash)

    def forget(self) -> None:
        """Cancel a prefetch."""
        self._block_receipts.forget()

    async def of_block(self, block: FetchedBlock, ids: Collection[str]) -> Outcomes:
        """Fetch the outcomes of transactions of a block; see ``ChainSource.outcomes``.

        A node can have a block before its receipts: the request is repeated, and then sent to the
        other nodes.
        """
        found = _Found()
        for wait in (*NOT_YET_WAITS, None):
            await self._fetch(block, found, found.late(ids))
            if wait is None or not found.late(ids):
                break
            await asyncio.sleep(wait)
        await self._fetch_elsewhere(block.link.ref, found, found.missing(ids))
        return {**await self._settle_in(block, found.receipts), **found.unreadable}

    async def of_blocks(
        self, wanted: Sequence[tuple[FetchedBlock, Collection[str]]]
    ) -> dict[str, Outcomes]:
        """Fetch outcomes in several blocks; see ``ChainSource.outcomes_early``."""
        hits = [(block, key) for block, ids in wanted for key in ids]
        requests = [self.request(key, block.link.ref) for block, key in hits]
        size = self._rpc.calls_per_request
        parts = [requests[at : at + size] for at in range(0, len(requests), size)]
        answers = chain.from_iterable(await asyncio.gather(*map(self._rpc.batch, parts)))
        found: dict[str, dict[str, decode.Receipt]] = {}
        for (block, key), answer in zip(hits, answers, strict=True):
            if isinstance(answer, decode.Receipt):
                found.setdefault(block.link.hash, {})[key] = answer
        blocks = {block.link.hash: block for block, _ in wanted}
        settled = await asyncio.gather(
            *(self._settle_in(blocks[key], receipts) for key, receipts in found.items())
        )
        return {key: {**outcomes} for key, outcomes in zip(found, settled, strict=True)}

    def requests(self, block: FetchedBlock, ids: Collection[str], room: int) -> list[Request]:
        """Return the requests for receipts of transactions of a block, at most ``room``.

        More transactions take one request for all receipts of the block; none if that request is in
        flight, or the node does not support it: then ``of_block`` fetches the receipts.
        """
        if len(ids) <= max(1, min(MANY_HITS, room)):
            return [self.request(key, block.link.ref) for key in ids]
        return self._block_receipts.requests(block.link.hash)

    async def of_answers(
        self, block: FetchedBlock, ids: Collection[str], answers: Mapping[Request, Any]
    ) -> dict[str, Outcome | None]:
        """Return the outcomes from the results of ``requests``."""
        for request, answer in answers.items():
            if request.method == BLOCK_RECEIPTS:
                self._block_receipts.note(answer)
        found = chain.from_iterable(
            answer if isinstance(answer, list) else [answer] for answer in answers.values()
        )
        receipts: dict[str, decode.Receipt] = {}
        async for part in Slices(found):
            receipts |= {
                receipt.id: receipt
                for receipt in part
                if isinstance(receipt, decode.Receipt)
                and receipt.id in ids
                and receipt.block == block.link.ref
            }
        return await self._settle_in(block, receipts)

    async def succeeded_elsewhere(
        self, failed: Mapping[BlockRef, Collection[str]]
    ) -> frozenset[str]:
        """Return which transactions succeeded by another node; see ``DepositSource``."""
        requests = [self.request(key, block) for block, ids in failed.items() for key in ids]
        if not requests or not self._rpc.is_compared:
            return frozenset()
        answers = chain.from_iterable(await self._rpc.everywhere(requests))
        receipts = (answer for answer in answers if isinstance(answer, decode.Receipt))
        return frozenset(
            receipt.id
            for receipt in receipts
            if receipt.outcome is not None and receipt.outcome.succeeded
        )

    async def settle(
        self,
        items: Mapping[str, Any],
        receipts: Mapping[str, decode.Receipt],
        times: Mapping[BlockRef, int | None],
    ) -> dict[str, Outcome | None]:
        """Return the outcomes of receipts, and find a missing status or revert reason.

        Args:
            items: Transactions as a node sent them, by id.
            receipts: Receipts of these transactions, by id.
            times: Times of their blocks in Unix seconds, where they are known.
        """
        silent = {key: receipt for key, receipt in receipts.items() if receipt.outcome is None}
        outcomes = {key: receipt.outcome for key, receipt in receipts.items()}
        if silent:
            outcomes |= await self._statuses.settle(items, silent)
            outcomes |= await self._from_other_nodes(
                [silent[key] for key in silent if outcomes[key] is None]
            )
        outcomes |= await self._reasons(items, receipts, outcomes)
        return await _with_details(outcomes, receipts, times)

    def request(self, key: str, block: BlockRef | None = None) -> Request:
        """Return the request for a receipt that must name this transaction and this block."""

        def read(value: Any) -> decode.Receipt:
            receipt = decode.receipt(value, self._context.profile, self._errors)
            if receipt.id != key:
                raise MalformedError(f"the receipt of {receipt.id} came for {key}")
            if block is not None and receipt.block != block:
                raise MalformedError(
                    f"the receipt of {key} must name block {block.number} ({block.hash}), "
                    f"got block {receipt.block.number} ({receipt.block.hash})"
                )
            return receipt

        return Request("eth_getTransactionReceipt", (key,), read)

    async def _settle_in(
        self, block: FetchedBlock, receipts: Mapping[str, decode.Receipt]
    ) -> dict[str, Outcome | None]:
        items: dict[str, Any] = {}
        async for part in Slices(receipts):
            items |= {key: block.body[block.ids[key]] for key in part}
        return await self.settle(items, receipts, {block.link.ref: block.time})

    async def _fetch(self, block: FetchedBlock, found: _Found, ids: list[str]) -> None:
        if not ids:
            return
        whole = await self._block_receipts.of(block.link, len(ids))
        wanted, ref = set(ids), block.link.ref
        async for part in Slices(whole or ()):
            for receipt in part:
                if receipt.id in wanted and receipt.block == ref:
                    found.add(receipt.id, receipt)
        rest = found.missing(ids)
        # If a block's receipts are incomplete, the node has not stored the rest yet: requests for
        # single receipts would not find them either.
        if rest and not whole:
            answers = await self._rpc.batch([self.request(key, block.link.ref) for key in rest])
            for key, answer in zip(rest, answers, strict=True):
                found.add(key, answer)

    async def _fetch_elsewhere(self, block: BlockRef, found: _Found, ids: list[str]) -> None:
        if ids:
            answers = await self._rpc.elsewhere([self.request(key, block) for key in ids])
            for key, answer in zip(ids, answers, strict=True):
                found.add(key, answer)

    async def _from_other_nodes(
        self, silent: Collection[decode.Receipt]
    ) -> dict[str, Outcome | None]:
        """Return the outcomes in receipts of the other nodes."""
        if not silent:
            return {}
        requests = [self.request(receipt.id, receipt.block) for receipt in silent]
        results = await self._rpc.elsewhere(requests)
        receipts = [result for result in results if isinstance(result, decode.Receipt)]
        return {receipt.id: receipt.outcome for receipt in receipts}

    async def _reasons(
        self,
        items: Mapping[str, Any],
        receipts: Mapping[str, decode.Receipt],
        outcomes: Mapping[str, Outcome | None],
    ) -> dict[str, Outcome | None]:
        """Return outcomes with revert reasons, found by repeating transactions as calls."""
        silent = {
            key: outcome
            for key, outcome in outcomes.items()
            if outcome is not None
            and not outcome.succeeded
            and outcome.error is None
            and isinstance(items.get(key), dict)
        }
        if not silent:
            return {}
        try:
            answers = await self._rpc.batch(
                [_replay(items[key], receipts[key].block) for key in silent]
            )
        except SourceError:
            return {}  # an outcome without its reason is complete: it must not wait
        return {
            key: replace(outcome, error=reasons.of_call(answer, self._errors))
            for (key, outcome), answer in zip(silent.items(), answers, strict=True)
        }


async def _with_details(
    outcomes: Mapping[str, Outcome | None],
    receipts: Mapping[str, decode.Receipt],
    times: Mapping[BlockRef, int | None],
) -> dict[str, Outcome | None]:
    """Return outcomes with the executions from their receipts."""
    found = dict(outcomes)
    async for part in Slices(outcomes.items()):
        for key, outcome in part:
            if outcome is not None:
                receipt = receipts[key]
                time = times.get(receipt.block)
                found[key] = details.detailed(outcome, receipt.raw, time)
    return found


def _replay(item: dict[str, Any], block: BlockRef) -> Request:
    # On the state before the block, which does not contain the transaction's own effects.
    return Request("eth_call", (decode.call_of(item), hex(max(0, block.number - 1))))
