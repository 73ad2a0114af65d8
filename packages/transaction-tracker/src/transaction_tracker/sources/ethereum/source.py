"""Ethereum behind JSON-RPC, asked block by block."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, TypeVar

from transaction_tracker.domain import (
    BlockRef,
    Included,
    InvalidTransactionError,
    Link,
    Outcome,
    Seen,
    Transaction,
)
from transaction_tracker.sources.errors import (
    ApplicationError,
    MalformedError,
    NotYetError,
    RateLimitedError,
    SourceError,
    WrongChainError,
)
from transaction_tracker.sources.ethereum import decode, fields
from transaction_tracker.sources.ethereum.classify import METHOD_NOT_FOUND
from transaction_tracker.sources.ethereum.client import BATCH_SIZE, Request, RpcClient
from transaction_tracker.sources.ethereum.url import SecretUrl
from transaction_tracker.sources.protocol import Block

T = TypeVar("T")

logger = logging.getLogger("transaction_tracker")

# A node announces a block a moment before it can tell what is in it.
_NOT_YET_WAITS = (0.05, 0.1, 0.2)


class EthereumSource:
    """One chain, behind one node: a ``Source``.

    Args:
        url: The node's address.
        chain_id: The chain that it must be on; ``None`` takes the node's word for it.
        client: How to ask it, where the defaults do not fit.
    """

    def __init__(
        self,
        url: str | SecretUrl,
        chain_id: int | None = None,
        *,
        client: RpcClient | None = None,
    ) -> None:
        self.url = SecretUrl.of(url)
        self._client = client or RpcClient(self.url)
        self._wanted = chain_id
        self._checked: int | None = None
        self._has_block_receipts = True

    def __repr__(self) -> str:
        return f"EthereumSource({str(self.url)!r}, chain_id={self._checked or self._wanted})"

    @property
    def name(self) -> str:
        """The chain: kept data belong to it whichever node tells them."""
        if self._checked is None:
            raise RuntimeError("the source has no name before check() succeeds")
        return f"ethereum:{self._checked}"

    @property
    def requests(self) -> int:
        """How many HTTP requests were sent so far."""
        return self._client.requests

    def identify(self, text: str) -> str:
        """Write a transaction hash in lower case, or raise ``InvalidTransactionError``."""
        if not isinstance(text, str) or not fields.is_hash(text):
            raise InvalidTransactionError(
                f"a transaction hash must be 0x and 64 hexadecimal digits, got {text!r}"
            )
        return text.lower()

    async def check(self, *, again: bool = False) -> None:
        """Make sure that the node answers and is on the right chain.

        Raises:
            WrongChainError: It is on another chain than asked for, or than it was before.
            SourceError: It gives no answer.
        """
        if self._checked is not None and not again:
            return
        found = fields.quantity(await self._client.call("eth_chainId"), "chain id")
        wanted = self._wanted if self._checked is None else self._checked
        if wanted is not None and found != wanted:
            raise WrongChainError(f"{self.url} is on chain {found}, expected {wanted}")
        self._checked = found

    async def head(self) -> Link:
        """Fetch the highest block's number, hash and parent."""
        # Without the transactions: most times the head is the one already known.
        return decode.link(await self._client.call("eth_getBlockByNumber", "latest", False))

    async def block(self, block_hash: str) -> Block:
        """Fetch one block by its hash, so that no reorganisation can come in between."""
        found = decode.block(await _patiently(lambda: self._raw_block(block_hash)))
        if found.link.hash != block_hash:
            raise MalformedError(f"{self.url} gave block {found.link.hash} for {block_hash}")
        return found

    async def links(self, numbers: Collection[int]) -> Mapping[int, Link]:
        """Fetch the canonical blocks of these heights, as far as the node has them."""
        wanted = sorted(set(numbers))
        calls = [Request("eth_getBlockByNumber", (hex(number), False)) for number in wanted]
        links = _readable(await self._client.batch(calls), decode.link)
        return {link.number: link for link in links}

    def transaction(self, block: Block, transaction_id: str) -> Transaction:
        """Describe a transaction of a fetched block."""
        return decode.transaction(block.body[block.ids[transaction_id]])

    async def outcomes(self, block: Block, ids: Collection[str]) -> Mapping[str, Outcome]:
        """Fetch the receipts of hits: one by one in a batch, or the block's all at once.

        One that the node does not have yet is left out.

        Raises:
            NotYetError: The node tells of another block: it is reorganising.
        """
        found: dict[str, Outcome] = {}
        for wait in (*_NOT_YET_WAITS, None):
            missing = set(ids) - found.keys()
            found |= _outcomes_in(block.link, missing, await self._receipts(block.link, missing))
            if len(found) == len(ids) or wait is None:
                break
            await asyncio.sleep(wait)
        return found

    async def look_up(self, ids: Collection[str]) -> Mapping[str, Seen | Included]:
        """Fetch single transactions, and the receipts of those that are in a block."""
        found = await self._transactions(ids)
        facts: dict[str, Seen | Included] = {
            transaction.id: Seen(transaction) for transaction, place in found if place is None
        }
        mined = {transaction.id: (transaction, place) for transaction, place in found if place}
        for receipt in await self._single_receipts(mined.keys()):
            transaction, place = mined[receipt.id]
            # Two answers from two moments: only when they agree are they one fact.
            if receipt.block == place:
                facts[receipt.id] = Included(transaction, place, receipt.outcome)
        return facts

    async def close(self) -> None:
        """Close the connections; the next request opens them again."""
        await self._client.close()

    async def _raw_block(self, block_hash: str) -> Any:
        answer = await self._client.call("eth_getBlockByHash", block_hash, True)
        if answer is None:
            raise NotYetError(f"{self.url} has no block {block_hash} yet")
        return answer

    async def _receipts(self, link: Link, ids: Collection[str]) -> list[decode.Receipt]:
        if len(ids) > BATCH_SIZE and self._has_block_receipts:
            try:
                return await self._block_receipts(link)
            except ApplicationError as error:
                if error.code != METHOD_NOT_FOUND:
                    raise
                self._has_block_receipts = False
        return await self._single_receipts(ids)

    async def _block_receipts(self, link: Link) -> list[decode.Receipt]:
        answer = await self._client.call("eth_getBlockReceipts", link.hash)
        return [decode.receipt(item) for item in fields.array(answer or [], "receipts")]

    async def _single_receipts(self, ids: Collection[str]) -> list[decode.Receipt]:
        calls = [Request("eth_getTransactionReceipt", (key,)) for key in ids]
        receipts = _readable(await self._client.batch(calls), decode.receipt)
        return [receipt for receipt in receipts if receipt.id in ids]

    async def _transactions(
        self, ids: Collection[str]
    ) -> list[tuple[Transaction, BlockRef | None]]:
        calls = [Request("eth_getTransactionByHash", (key,)) for key in ids]
        found = _readable(
            await self._client.batch(calls),
            lambda answer: (decode.transaction(answer), decode.place(answer)),
        )
        return [(transaction, place) for transaction, place in found if transaction.id in ids]


def _outcomes_in(
    link: Link, ids: Collection[str], receipts: list[decode.Receipt]
) -> dict[str, Outcome]:
    found = [receipt for receipt in receipts if receipt.id in ids]
    for receipt in found:
        if receipt.block != link.ref:
            raise NotYetError(f"the receipt of {receipt.id} is of another block than {link.hash}")
    return {receipt.id: receipt.outcome for receipt in found}


def _readable(answers: list[Any], read: Callable[[Any], T]) -> list[T]:
    """Read the answers that tell something; one that is bad does not spoil the others."""
    found: list[T] = []
    for answer in answers:
        # ``null`` and an error are both no fact, and neither is "there is none".
        if isinstance(answer, RateLimitedError):
            raise answer
        if answer is None or isinstance(answer, NotYetError):
            continue
        try:
            if isinstance(answer, SourceError):
                raise answer
            found.append(read(answer))
        except SourceError as error:
            logger.warning("an answer was left out: %s", error)
    return found


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask again a few times when the node does not know it yet."""
    for wait in _NOT_YET_WAITS:
        try:
            return await ask()
        except NotYetError:
            await asyncio.sleep(wait)
    return await ask()
