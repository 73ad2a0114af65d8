"""The ``eth_``, ``net_`` and ``web3_`` methods."""

import platform
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TypeAlias

import orjson

from txtrack_devnode import params
from txtrack_devnode.block import Block
from txtrack_devnode.calls import call, payload
from txtrack_devnode.chain import GWEI, Chain
from txtrack_devnode.logs import find_logs
from txtrack_devnode.rpc import INVALID_PARAMS, SERVER_ERROR, Method, RpcError
from txtrack_devnode.transaction import Transaction
from txtrack_devnode.view import ChainView, at_or_below
from txtrack_devnode.wire import (
    block_json,
    pending_block_json,
    pending_json,
    receipt_json,
    receipts_json,
    transaction_json,
)

NULL_ROUND = 12  # error code of Lotus
_CACHED_BLOCKS = 4  # a block of 10,000 transactions has 13 MB of JSON
_TIP = GWEI // 10
_FEE_FIELDS = ("gasPrice", "maxFeePerGas", "maxPriorityFeePerGas")
_IGNORED_FIELDS = ("type", "accessList")  # every transaction here has type 2 and no access list
_TRANSACTION_FIELDS = (
    *("from", "to", "value", "data", "input", "nonce", "gas", "chainId"),
    *_FEE_FIELDS,
    *_IGNORED_FIELDS,
)
# Reads a signed transaction in hexadecimal, or raises ``ChainError``.
ReadRaw: TypeAlias = Callable[[str], Transaction]
_FILTER_FIELDS = ("fromBlock", "toBlock", "blockHash", "address", "topics")


class EthereumMethods:
    """Methods that read one chain or send transactions to it.

    Args:
        chain: The chain.
        read_raw: Function that reads a signed transaction, in hexadecimal. Default: signed
            transactions are refused.

    Attributes:
        state: State that the methods read: the chain, or a view of it for a node that lags.
    """

    def __init__(self, chain: Chain, read_raw: ReadRaw | None = None) -> None:
        self.state: Chain | ChainView = chain
        self._chain = chain
        self._read_raw = read_raw
        # A block never changes, so its JSON can be cached.
        self._block = lru_cache(_CACHED_BLOCKS)(_write_block)
        self._receipts = lru_cache(_CACHED_BLOCKS)(_write_receipts)

    def table(self) -> Mapping[str, Method]:
        """Return the methods by name."""
        chain = self._chain
        return {
            "web3_clientVersion": lambda: f"txtrack-node/python{platform.python_version()}",
            "net_version": lambda: str(chain.chain_id),
            "eth_chainId": lambda: hex(chain.chain_id),
            "eth_syncing": lambda: False,
            "eth_blockNumber": lambda: hex(self.state.head.number),
            "eth_gasPrice": lambda: hex(chain.base_fee + _TIP),
            "eth_maxPriorityFeePerGas": lambda: hex(_TIP),
            "eth_accounts": lambda: chain.accounts,
            "eth_getBlockByNumber": self.block_by_number,
            "eth_getBlockByHash": self.block_by_hash,
            "eth_getBlockReceipts": self.block_receipts,
            "eth_getTransactionByHash": self.transaction,
            "eth_getTransactionReceipt": self.receipt,
            "eth_getTransactionCount": self.transaction_count,
            "eth_getBalance": self.balance,
            "eth_getCode": self.code,
            "eth_call": self.call,
            "eth_getLogs": self.logs,
            "eth_sendTransaction": self.send,
            "eth_sendRawTransaction": self.send_raw,
        }

    def block_by_number(self, number: object, full: object = False, /) -> object:
        """Return a canonical block by height or tag, or ``null`` above the head."""
        ref, everything = params.block_number(number), params.flag(full, "the second parameter")
        if ref == "pending":
            return pending_block_json(self.state.pending_block(), full=everything)
        block = self._find(ref) or self._null_round(ref)
        return block and self._block(block, everything)

    def block_by_hash(self, block_hash: object, full: object = False, /) -> object:
        """Return a block by hash, also if a reorg removed it."""
        everything = params.flag(full, "the second parameter")
        block = self.state.block_by_hash(params.hash32(block_hash))
        return block and self._block(block, everything)

    def block_receipts(self, ref: object, /) -> object:
        """Return the receipts of all transactions of a block."""
        found = params.block_ref(ref)
        if found == "pending":
            return self._receipts(self.state.pending_block())
        block = self._find(found) or self._null_round(found)
        return block and self._receipts(block)

    def transaction(self, tx_hash: object, /) -> object:
        """Return a transaction of a block or of the pool."""
        wanted = params.hash32(tx_hash)
        if mined := self.state.mined(wanted):
            return transaction_json(mined)
        pending = self.state.pending(wanted)
        return pending and pending_json(pending)

    def receipt(self, tx_hash: object, /) -> object:
        """Return the receipt of a mined transaction."""
        mined = self.state.mined(params.hash32(tx_hash))
        return mined and receipt_json(mined)

    def transaction_count(self, account: object, ref: object = "latest", /) -> object:
        """Return the next nonce of an account, after a block or after its pending transactions."""
        name = params.address(account)
        if params.block_ref(ref) == "pending":
            return hex(self.state.pending_nonce(name))
        return hex(self.state.nonce(name, self._height(ref)))

    def balance(self, account: object, ref: object = "latest", /) -> object:
        """Return the balance of an account after a block."""
        return hex(self.state.balance(params.address(account), self._height(ref)))

    def code(self, account: object, ref: object = "latest", /) -> object:
        """Return the code of an account: always empty, because this node has no contracts."""
        params.address(account)
        self._height(ref)
        return "0x"

    def call(self, transaction: object, ref: object = "latest", /) -> object:
        """Run a call on top of a block: see ``calls.call``."""
        given = params.fields(transaction, _TRANSACTION_FIELDS, "the transaction")
        return call(self.state, given, self._height(ref))

    def logs(self, criteria: object, /) -> object:
        """Return the logs of blocks that match a filter: see ``logs.find_logs``."""
        given = params.fields(criteria, _FILTER_FIELDS, "the filter")
        blocks = (self.state.block(height) for height in self._heights(given))
        return find_logs((block for block in blocks if block is not None), given)

    def _heights(self, given: Mapping[str, object]) -> range:
        if "blockHash" in given:
            height = self._height(params.hash32(given["blockHash"], "blockHash"))
            return range(height, height + 1)
        refs = [params.block_number(given.get(name, "latest")) for name in ("fromBlock", "toBlock")]
        head = self.state.head.number
        first, last = (
            min(ref, head) if isinstance(ref, int) else self._height(ref) for ref in refs
        )
        return range(first, last + 1)

    def send(self, transaction: object, /) -> object:
        """Add an unsigned transaction of a development account to the pool."""
        given = params.fields(transaction, _TRANSACTION_FIELDS, "the transaction")
        self._check_chain(params.optional(given, "chainId", params.quantity))
        max_fee, priority_fee = self._fees(given)
        return self._chain.submit(
            params.address(given.get("from"), "from"),
            params.optional(given, "to", params.address),
            params.optional(given, "value", params.quantity) or 0,
            data=payload(given),
            nonce=params.optional(given, "nonce", params.quantity),
            gas=params.optional(given, "gas", params.quantity),
            max_fee=max_fee,
            priority_fee=priority_fee,
        ).hash

    def send_raw(self, raw: object, /) -> object:
        """Add a signed transaction to the pool, if the node has a function that reads it.

        Checking a signature needs an elliptic curve, which Python does not have.
        """
        data = params.data(raw)
        if self._read_raw is None:
            message = "this node does not accept signed transactions: use eth_sendTransaction"
            raise RpcError(SERVER_ERROR, message)
        tx = self._read_raw(data)
        self._chain.add(tx)
        return tx.hash

    def _check_chain(self, chain_id: int | None) -> None:
        if chain_id not in (None, self._chain.chain_id):
            message = f"invalid chain id: this is chain {self._chain.chain_id}, not {chain_id}"
            raise RpcError(SERVER_ERROR, message)

    def _fees(self, given: Mapping[str, object]) -> tuple[int, int]:
        """Return the maximum fee and the priority fee; ``gasPrice`` sets both."""
        price, max_fee, tip = (
            params.optional(given, name, params.quantity) for name in _FEE_FIELDS
        )
        if price is not None and (max_fee is not None or tip is not None):
            message = "give either gasPrice or maxFeePerGas and maxPriorityFeePerGas"
            raise RpcError(INVALID_PARAMS, message)
        if price is not None:
            return price, price
        tip = _TIP if tip is None else tip
        max_fee = 2 * self._chain.base_fee + tip if max_fee is None else max_fee
        if tip > max_fee:
            message = "max priority fee per gas higher than max fee per gas"
            raise RpcError(SERVER_ERROR, message)
        return max_fee, tip

    def _find(self, ref: params.BlockRef) -> Block | None:
        state = self.state
        if isinstance(ref, int):
            return state.block(ref)
        heights = {"safe": state.safe, "finalized": state.finalized, "earliest": 0}
        if ref in heights:
            return at_or_below(state, heights[ref])
        return state.head if ref in ("latest", "pending") else state.block_by_hash(ref)

    def _height(self, ref: object) -> int:
        found = params.block_ref(ref)
        block = self._find(found)
        if block is None and self._is_null_round(found):
            # A null round does not change the state: use that of the block before it.
            block = at_or_below(self.state, int(found))
        if block is None:
            raise RpcError(SERVER_ERROR, "header not found")
        if not self.state.is_canonical(block):
            raise RpcError(SERVER_ERROR, "hash is not currently canonical")
        return block.number

    def _is_null_round(self, ref: params.BlockRef) -> bool:
        below_head = isinstance(ref, int) and ref < self.state.head.number
        return below_head and self._find(ref) is None

    def _null_round(self, ref: params.BlockRef) -> Block | None:
        """Return the answer for a null round, or ``None`` if this is not a null round."""
        answer = self._chain.rules.null_round_answer
        if answer == "null" or not self._is_null_round(ref):
            return None
        if answer == "previous":
            return at_or_below(self.state, int(ref))
        message = f"requested epoch was a null round ({ref})"
        raise RpcError(NULL_ROUND, message, ref)


def _write_block(block: Block, full: bool) -> orjson.Fragment:
    return orjson.Fragment(orjson.dumps(block_json(block, full=full)))


def _write_receipts(block: Block) -> orjson.Fragment:
    return orjson.Fragment(orjson.dumps(receipts_json(block)))
