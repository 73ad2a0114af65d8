"""Ethereum behind JSON-RPC, asked block by block."""

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

from transaction_tracker.domain import (
    BlockRef,
    InvalidTransactionError,
    Link,
    Outcome,
    Tag,
    Transaction,
)
from transaction_tracker.sources.errors import (
    MalformedError,
    NotYetError,
    SourceError,
    WrongChainError,
)
from transaction_tracker.sources.ethereum import decode, fields
from transaction_tracker.sources.ethereum.answers import NOT_YET_WAITS, patiently, readable
from transaction_tracker.sources.ethereum.client import RpcClient
from transaction_tracker.sources.ethereum.lookup import LookUp
from transaction_tracker.sources.ethereum.proof import Known, is_proven
from transaction_tracker.sources.ethereum.receipts import BlockReceipts
from transaction_tracker.sources.ethereum.rpc import Identity, Request, Rpc
from transaction_tracker.sources.ethereum.url import SecretUrl
from transaction_tracker.sources.protocol import Answer, Block, Consensus, Head

_MARKS: tuple[Tag, ...] = ("safe", "finalized")


class EthereumSource:
    """One chain, behind one node or several: a ``ChainSource``.

    Args:
        rpc: Who asks the nodes, or the address of the only one.
        chain_id: The chain that they must be on; ``None`` takes the node's word for it.
    """

    def __init__(self, rpc: Rpc | SecretUrl | str, chain_id: int | None = None) -> None:
        self._rpc = RpcClient(SecretUrl.of(rpc)) if isinstance(rpc, str | SecretUrl) else rpc
        self._wanted = chain_id
        self._checked: Identity | None = None
        self._anchor: BlockRef | None = None
        self._block_receipts = BlockReceipts(self._rpc)
        self._look_up = LookUp(self._rpc)

    def __repr__(self) -> str:
        chain_id = self._checked.chain_id if self._checked else self._wanted
        return f"EthereumSource({str(self._rpc)!r}, chain_id={chain_id})"

    @property
    def name(self) -> str:
        """The chain: kept data belong to it whichever node tells them."""
        if self._checked is None:
            raise RuntimeError("the source has no name before check() succeeds")
        return f"ethereum:{self._checked.chain_id}"

    @property
    def id_pattern(self) -> str:
        """A hash of 32 bytes."""
        return fields.HASH_PATTERN

    @property
    def requests(self) -> int:
        """How many HTTP requests were sent so far."""
        return self._rpc.requests

    def identify(self, text: str) -> str:
        """Write a transaction hash in lower case, or raise ``InvalidTransactionError``."""
        if not isinstance(text, str) or not fields.is_hash(text):
            raise InvalidTransactionError(
                f"a transaction hash must be 0x and 64 hexadecimal digits, got {text!r}"
            )
        return text.lower()

    @property
    def anchor(self) -> BlockRef | None:
        """The block by which the chain is known; ``None`` where that could not be proven."""
        return self._anchor

    async def check(self, *, again: bool = False, known: Known | None = None) -> None:
        """Check that the node answers and is on the right chain.

        Args:
            again: Check again after a successful check.
            known: What the database knows of its chain.

        Raises:
            WrongChainError: It is on another chain than asked for, than it was before, or than
                the database.
            SourceError: It gives no answer.
        """
        if self._checked is not None and not again:
            return
        known = Known(self._anchor) if known is None else known
        found = await self._rpc.identity(known.anchor.number if known.anchor else None)
        wanted = self._checked.chain_id if self._checked else self._wanted
        if wanted not in (None, found.chain_id):
            raise WrongChainError(f"{self._rpc} is on chain {found.chain_id}, expected {wanted}")
        if known.source not in (None, f"ethereum:{found.chain_id}"):
            known = Known()  # blocks of another chain prove nothing; the store refuses this one
        proven = await is_proven(self._rpc, found, known)
        if self._checked is None:
            self._anchor = known.anchor or (found.anchor if proven else None)
        self._checked = found
        self._look_up.chain_id = found.chain_id

    async def head(self, *, marks: bool = False) -> Head:
        """Fetch the highest block's place, with ``marks`` also the safe and finalized heights."""
        # Without the transactions: most times the head is the one already known.
        names = ("latest", *_MARKS) if marks else ("latest",)
        calls = [Request("eth_getBlockByNumber", (name, False)) for name in names]
        latest, *marked = await self._rpc.batch(calls)
        if isinstance(latest, SourceError):
            raise latest
        if latest is None:
            latest = await self._head_elsewhere()
        self._look_up.base_fee = decode.base_fee(latest)
        return Head(decode.link(latest), _heights(marked))

    async def block(self, block_hash: str) -> Block:
        """Fetch one block by its hash, so that no reorganisation can come in between."""
        self._block_receipts.foresee(block_hash)
        found = decode.block(await self._raw_block(block_hash))
        if found.link.hash != block_hash:
            raise MalformedError(f"{self._rpc} gave block {found.link.hash} for {block_hash}")
        return found

    async def links(self, numbers: Collection[int]) -> Mapping[int, Link]:
        """Fetch the canonical blocks of these heights, as far as the node has them."""
        wanted = sorted(set(numbers))
        calls = [Request("eth_getBlockByNumber", (hex(number), False)) for number in wanted]
        links = readable(await self._rpc.batch(calls), decode.link)
        return {link.number: link for link in links}

    def transaction(self, block: Block, transaction_id: str) -> Transaction:
        """Describe a transaction of a fetched block."""
        return decode.transaction(block.body[block.ids[transaction_id]])

    async def outcomes(self, block: Block, ids: Collection[str]) -> Mapping[str, Outcome]:
        """Fetch the receipts of hits: one by one in a batch, or the block's all at once.

        One that the node does not have yet is left out. Why a transaction reverted is asked
        for too, of the node that does not say so by itself.

        Raises:
            NotYetError: The node tells of another block: it is reorganising.
        """
        found: dict[str, Outcome] = {}
        for wait in (*NOT_YET_WAITS, None):
            missing = set(ids) - found.keys()
            found |= _outcomes_in(block.link, missing, await self._receipts(block.link, missing))
            if len(found) == len(ids) or wait is None:
                break
            await asyncio.sleep(wait)
        return found | await self._look_up.reasons(block, found)

    async def look_up(
        self, slots: Mapping[str, str | None], height: int, *, at_once: bool = False
    ) -> Mapping[str, Answer]:
        """Fetch single transactions, and the receipts of those that are or may be in a block."""
        return await self._look_up.answers(slots, height, at_once=at_once)

    async def consensus(
        self, slots: Mapping[str, str | None], height: int
    ) -> Mapping[str, Consensus]:
        """Ask every healthy node for the transactions, their receipts and their slots."""
        return await self._look_up.consensus(slots, height)

    async def close(self) -> None:
        """Close the connections; the next request opens them again."""
        self._block_receipts.forget()
        await self._rpc.close()

    async def _head_elsewhere(self) -> Any:
        """Ask the others for the head when the node that is followed knows of none."""
        found = await self._rpc.seek("eth_getBlockByNumber", "latest", False)
        if found is None:
            raise NotYetError(f"{self._rpc} has no block at all yet")
        return found

    async def _raw_block(self, block_hash: str) -> Any:
        try:
            return await patiently(lambda: self._asked_for_block(block_hash))
        except NotYetError:
            # Who told of the block does not have it; somebody else may.
            found = await self._rpc.seek("eth_getBlockByHash", block_hash, True)
            if found is None:
                raise
            return found

    async def _asked_for_block(self, block_hash: str) -> Any:
        answer = await self._rpc.call("eth_getBlockByHash", block_hash, True)
        if answer is None:
            raise NotYetError(f"{self._rpc} has no block {block_hash} yet")
        return answer

    async def _receipts(self, link: Link, ids: Collection[str]) -> list[decode.Receipt]:
        found = await self._block_receipts.of(link, len(ids))
        return await self._look_up.receipts(ids) if found is None else found


def _heights(marked: list[Any]) -> dict[Tag, int]:
    """Read the marks that the node knows; many development chains have none."""
    return {
        mark: decode.link(answer).number
        for mark, answer in zip(_MARKS, marked, strict=False)
        if isinstance(answer, dict)
    }


def _outcomes_in(
    link: Link, ids: Collection[str], receipts: list[decode.Receipt]
) -> dict[str, Outcome]:
    found = [receipt for receipt in receipts if receipt.id in ids]
    for receipt in found:
        if receipt.block != link.ref:
            raise NotYetError(f"the receipt of {receipt.id} is of another block than {link.hash}")
    return {receipt.id: receipt.outcome for receipt in found if receipt.outcome is not None}
