"""Payments to watched accounts: by the transactions of a block, and by transfers of tokens.

The coin is paid by a transaction's own ``to`` and ``value``, which the block has. A token is paid
by a log. The block's bloom filter says whether it can have one; then the logs are fetched by the
hash of the block, so that a reorganisation cannot replace them.
"""

import logging
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

from beamish import telemetry
from transaction_tracker.domain import BlockRef, Deposit, Paid, Transfer
from transaction_tracker.slices import Slices, Steps, slices
from transaction_tracker.sources.answers import FetchedBlock
from transaction_tracker.sources.errors import NotYetError, SourceError
from transaction_tracker.sources.ethereum.bloom import can_contain
from transaction_tracker.sources.ethereum.fields import (
    address,
    array,
    hash32,
    quantity,
    readable,
    readable_quantity,
    record,
    wrong,
)
from transaction_tracker.sources.ethereum.receipts import BLOCK_RECEIPTS
from transaction_tracker.sources.ethereum.rpc import Request, Rpc
from transaction_tracker.sources.ethereum.transfers import TRANSFER, read_logs

logger: logging.Logger = logging.getLogger("transaction_tracker")

# The transaction and the transfer of a log.
_Transfers = list[tuple[str, Transfer]]


class PaymentReader:
    """Reads what the transactions of blocks pay to watched accounts.

    Args:
        rpc: Client of the nodes.
    """

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    async def of_blocks(
        self, blocks: Sequence[FetchedBlock], watched: Container[str], tokens: Collection[str]
    ) -> dict[str, Paid]:
        """Return what the transactions pay; see ``DepositSource.payments``."""
        transfers = await self._transfers(blocks, frozenset(tokens))
        found: dict[str, Paid] = {}
        for block in blocks:
            sums = _Sums()
            odd: list[str] = []
            async for part in Slices(enumerate(block.body)):
                for position, item in part:
                    _add_coin(sums, block, position, item, watched)
                    key = _id_of(item) if _is_odd(item, watched) else None
                    if key is not None and block.ids.get(key) == position:
                        odd.append(key)
            if odd:
                await self._add_odd(sums, block, odd, watched)
            async for some in Slices(transfers.get(block.link.hash, ())):
                for transaction, transfer in some:
                    _add_token(sums, transaction, transfer, watched)
            if paid := sums.paid(block.ids):
                found[block.link.hash] = paid
        return found

    async def _add_odd(
        self, sums: "_Sums", block: FetchedBlock, odd: Sequence[str], watched: Container[str]
    ) -> None:
        """Add what transactions pay that are unreadable in the block, from another node."""
        answers = await self._rpc.elsewhere([_transaction(key) for key in odd])
        for key, answer in zip(odd, answers, strict=True):
            _add_coin(sums, block, block.ids[key], answer, watched)
        unread = [key for key, answer in zip(odd, answers, strict=True) if answer is None]
        _count_unreadable("deposit amount", len(unread))
        if unread:
            logger.error(
                "no provider sends the amounts of %d transactions of block %d (%s) in a readable "
                "form, such as %s: if they pay watched addresses, these deposits are not found",
                *(len(unread), block.link.number, block.link.hash, unread[0]),
            )

    async def elsewhere(
        self, blocks: Sequence[BlockRef], watched: Container[str], tokens: Collection[str]
    ) -> dict[BlockRef, Paid]:
        """Return what transfers pay by one other node; see ``DepositSource``."""
        wanted = frozenset(tokens)
        answers = await self._rpc.one_other([_logs(block, wanted) for block in blocks])
        found: dict[BlockRef, Paid] = {}
        for block, answer in zip(blocks, answers, strict=True):
            if answer is not None:
                sums = _Sums()
                async for some in Slices(answer):
                    for transaction, transfer in some:
                        _add_token(sums, transaction, transfer, watched)
                found[block] = sums.paid()
        return found

    async def _transfers(
        self, blocks: Sequence[FetchedBlock], tokens: frozenset[str]
    ) -> dict[str, _Transfers]:
        """Return the transfers of tokens in the blocks that can have some, by block."""
        asked = [block for block in blocks if tokens and _can_have(block, tokens)]
        if not asked:
            return {}
        answers = await self._rpc.batch(
            [_logs(block.link.ref, tokens, block.ids) for block in asked]
        )
        found: dict[str, _Transfers] = {}
        for block, answer in zip(asked, answers, strict=True):
            if answer is None or isinstance(answer, SourceError):
                answer = await self._elsewhere(block, tokens, answer)
            found[block.link.hash] = answer
        return found

    async def _elsewhere(
        self, block: FetchedBlock, tokens: frozenset[str], error: SourceError | None
    ) -> _Transfers:
        """Return the transfers from another node, or from the receipts of the block.

        Raises:
            SourceError: No node sends the logs or the receipts in a readable form.
        """
        (answer,) = await self._rpc.elsewhere([_logs(block.link.ref, tokens, block.ids)])
        if answer is None:
            receipts = _receipts(block, tokens)
            (answer,) = await self._rpc.batch([receipts])
            if answer is None or isinstance(answer, SourceError):
                (answer,) = await self._rpc.elsewhere([receipts])
        if answer is not None:
            transfers: _Transfers = answer
            return transfers
        kind = NotYetError if error is None else type(error)
        number = block.link.number
        raise kind(f"no provider has the logs of block {number} ({block.link.hash}): {error}")


class _Sums:
    """What each transaction pays to each account, in each currency."""

    def __init__(self) -> None:
        self._values: dict[str, dict[tuple[str, str | None], int]] = {}

    def add(self, transaction: str, account: str, token: str | None, value: int) -> None:
        """Add a payment."""
        of_transaction = self._values.setdefault(transaction, {})
        currency = account, token
        of_transaction[currency] = of_transaction.get(currency, 0) + value

    def paid(self, ids: Mapping[str, int] | None = None) -> Paid:
        """Return the sums.

        Args:
            ids: The places of the transactions in their block, for the order of the sums.
        """
        ordered = self._values if ids is None else sorted(self._values, key=ids.__getitem__)
        return {
            transaction: tuple(
                Deposit(account, token, value)
                for (account, token), value in self._values[transaction].items()
            )
            for transaction in ordered
        }


def _can_have(block: FetchedBlock, tokens: Collection[str]) -> bool:
    """Return whether a block can have transfers of tokens."""
    # Some chains send an empty filter in each block, whatever logs it has.
    is_empty = block.bloom is not None and not any(block.bloom)
    bloom = None if is_empty else block.bloom
    return bool(block.ids) and can_contain(bloom, TRANSFER, tokens)


def _id_of(item: Any) -> str | None:
    """Return the hash of a transaction, of which a block can send nothing else."""
    return readable(hash32, item.get("hash") if isinstance(item, dict) else item)


def _is_odd(item: Any, watched: Container[str]) -> bool:
    """Return whether a transaction can pay a watched account, and its amount is unreadable."""
    if not isinstance(item, dict) or not ("to" in item or "value" in item):
        return True
    account = item.get("to")
    is_watched = isinstance(account, str) and account.lower() in watched
    return is_watched and readable_quantity(item.get("value")) is None


def _transaction(key: str) -> Request:
    """Return the request for a transaction whose amount is readable."""

    def read(value: Any) -> dict[str, Any]:
        item = record(value, "transaction")
        if hash32(item.get("hash"), "transaction's hash") != key:
            raise wrong("transaction's hash", key, item.get("hash"))
        quantity(item.get("value"), "transaction's value")
        return item

    return Request("eth_getTransactionByHash", (key,), read)


def _add_coin(
    sums: _Sums, block: FetchedBlock, position: int, item: Any, watched: Container[str]
) -> None:
    """Add what a transaction pays by itself; an unreadable one pays nothing."""
    account = item.get("to") if isinstance(item, dict) else None
    if not isinstance(account, str) or (account := account.lower()) not in watched:
        return
    key, sender = readable(hash32, item.get("hash")), readable(address, item.get("from"))
    value = readable_quantity(item.get("value"))
    # A block can list a transaction twice: the first position counts.
    if key is None or not value or sender == account or block.ids.get(key) != position:
        return
    sums.add(key, account, None, value)


def _add_token(sums: _Sums, transaction: str, transfer: Transfer, watched: Container[str]) -> None:
    account = transfer.recipient
    if transfer.value and account in watched and account != transfer.sender:
        sums.add(transaction, account, transfer.token, transfer.value)


def _logs(block: BlockRef, tokens: Collection[str], ids: Container[str] | None = None) -> Request:
    """Return the request for the transfers of tokens in a block.

    Args:
        block: The block.
        tokens: Contracts of the tokens.
        ids: The transactions of the block, if they are known.

    Source:
        ``eth_getLogs`` with ``blockHash`` (EIP-234).
    """
    wanted = {"blockHash": block.hash, "address": sorted(tokens), "topics": [[TRANSFER]]}

    def read(value: Any) -> Steps[_Transfers]:
        logs = (record(log, "log") for log in array(value, "logs"))
        named = (
            (hash32(log.get("transactionHash"), "log's transaction hash"), log) for log in logs
        )
        return (yield from _read(block, named, tokens, ids))

    return Request("eth_getLogs", (wanted,), read)


def _receipts(block: FetchedBlock, tokens: Collection[str]) -> Request:
    """Return the request for the receipts of a block, which contain the same logs."""

    def read(value: Any) -> Steps[_Transfers]:
        receipts = [record(item, "receipt") for item in array(value, "block's receipts")]
        if len(receipts) < len(block.ids):
            raise wrong("block's receipts", f"a list of {len(block.ids)}", len(receipts))
        return (yield from _read(block.link.ref, _logs_in(receipts), tokens, block.ids))

    return Request(BLOCK_RECEIPTS, (block.link.hash,), read)


def _logs_in(receipts: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for receipt in receipts:
        key = hash32(receipt.get("transactionHash"), "receipt's transaction hash")
        for log in array(receipt.get("logs"), "receipt's logs"):
            yield key, record(log, "log")


def _read(
    block: BlockRef,
    logs: Iterable[tuple[str, dict[str, Any]]],
    tokens: Collection[str],
    ids: Container[str] | None,
) -> Steps[_Transfers]:
    """Return the transfers of ERC-20 tokens in logs, each with its transaction."""
    found: _Transfers = []
    malformed = 0
    for part in slices(logs):
        for key, log in part:
            if ids is not None and key not in ids:
                raise wrong("log's transaction", f"one of block {block.hash}", key)
            of_block = readable(hash32, log.get("blockHash"))
            if of_block not in (None, block.hash):
                raise wrong("log's block", block.hash, of_block)
            if log.get("removed") is True:
                raise wrong("log", "one of a canonical block", "one that was removed")
            if readable(address, log.get("address")) not in tokens:
                continue
            transfers, errors = read_logs([log]) or ((), 1)
            malformed += errors
            found += [(key, each) for each in transfers if each.standard == "erc20"]
        yield
    _count_unreadable("deposit log", malformed)
    return found


def _count_unreadable(kind: str, count: int) -> None:
    if count:
        telemetry.execute(("transaction_tracker", "unreadable"), {"count": count}, {"kind": kind})
