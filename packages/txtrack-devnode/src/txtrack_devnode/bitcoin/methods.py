"""The RPC methods of Bitcoin Core that read the chain.

Source:
    The documentation of Bitcoin Core 28, and its errors: -5 for what the node does not have, -8 for
    a wrong height, -1 for a block whose data is pruned.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from txtrack_devnode.bitcoin.chain import BitcoinChain
from txtrack_devnode.bitcoin.wire import COIN, BitcoinBlock, BitcoinTransaction, Coin
from txtrack_devnode.rpc import Method, RpcError

MISC_ERROR = -1
NOT_FOUND = -5
INVALID_PARAMETER = -8
IN_WARMUP = -28

_WALLET = "Use gettransaction for wallet transactions."


@dataclass
class NodeState:
    """How a node differs from the others on its chain.

    Attributes:
        txindex: Whether it has an index of all transactions.
        pruned_below: Height below which it has deleted the blocks; 0 for none.
        behind: Number of blocks by which it is behind.
        warmup: Whether it is still loading.
    """

    txindex: bool = True
    pruned_below: int = 0
    behind: int = 0
    warmup: bool = False


def amount(satoshi: int) -> orjson.Fragment:
    """Return an amount as Bitcoin Core writes it: bitcoins with eight decimals."""
    return orjson.Fragment(f"{satoshi // COIN}.{satoshi % COIN:08}".encode())


class BitcoinMethods:
    """The methods of one node.

    Args:
        chain: The chain of the node.
        state: How the node differs from others.
    """

    def __init__(self, chain: BitcoinChain, state: NodeState) -> None:
        self._chain = chain
        self._state = state

    def follow(self, chain: BitcoinChain) -> None:
        """Answer about another chain from now on."""
        self._chain = chain

    def table(self) -> Mapping[str, Method]:
        """Return the methods by name."""
        names = (
            "getbestblockhash getblock getblockchaininfo getblockcount getblockhash getblockheader "
            "getindexinfo getmempoolentry getmempoolinfo getnetworkinfo getrawmempool "
            "getrawtransaction gettxout"
        )
        return {name: getattr(self, name) for name in names.split()}

    # -- Blocks

    def getblockcount(self) -> int:
        """Return the height of the head."""
        return self._head.number

    def getbestblockhash(self) -> str:
        """Return the hash of the head."""
        return self._head.hash

    def getblockhash(self, height: int) -> str:
        """Return the hash of a block of the active chain."""
        if not 0 <= height <= self._head.number:
            raise RpcError(INVALID_PARAMETER, "Block height out of range")
        return self._chain.blocks[height].hash

    def getblockheader(self, block_hash: str, verbose: bool = True) -> object:
        """Return a header."""
        block = self._block(block_hash)
        return self._header(block) if verbose else block.header.hex()

    def getblock(self, block_hash: str, verbosity: int = 1) -> object:
        """Return a block: its bytes, or an object with ids or with transactions."""
        block = self._block(block_hash)
        self._check_data(block)
        if verbosity == 0:
            return block.raw.hex()
        listed: list[object] = [each.id for each in block.transactions]
        if verbosity > 1:
            listed = [self._transaction(each, verbosity) for each in block.transactions]
        return {**self._header(block), "tx": listed}

    def getblockchaininfo(self) -> object:
        """Return the state of the chain."""
        head = self._head
        pruned = self._state.pruned_below > 0
        return {
            "chain": "regtest",
            "blocks": head.number,
            "headers": self._chain.head.number,
            "bestblockhash": head.hash,
            "time": head.time,
            "mediantime": head.time,
            "initialblockdownload": False,
            "pruned": pruned,
            **({"pruneheight": self._state.pruned_below} if pruned else {}),
            "warnings": [],
        }

    # -- Transactions

    def getrawtransaction(
        self, key: str, verbosity: int = 0, block_hash: str | None = None
    ) -> object:
        """Return a transaction: of the mempool, the index or the given block."""
        if key == self._chain.blocks[0].transactions[0].id:
            text = "The genesis block coinbase is not considered an ordinary transaction"
            raise RpcError(NOT_FOUND, f"{text} and cannot be retrieved")
        transaction, block = self._find(key, block_hash)
        if verbosity == 0:
            return transaction.raw.hex()
        found = self._transaction(transaction, verbosity)
        if block_hash is not None and block is not None:
            found["in_active_chain"] = self._is_active(block)
        if block is not None:
            found["blockhash"] = block.hash
            found["confirmations"] = 0
            if self._is_active(block):
                found["confirmations"] = self._head.number - block.number + 1
                found |= {"time": block.time, "blocktime": block.time}
        return found

    def getmempoolentry(self, key: str) -> object:
        """Return what the mempool says of a transaction."""
        transaction = self._chain.mempool.get(key)
        if transaction is None:
            raise RpcError(NOT_FOUND, "Transaction not in mempool")
        size = len(transaction.raw)
        return {
            "vsize": size,
            "weight": 4 * size,
            "time": self._head.time,
            "height": self._head.number,
            "fees": {"base": amount(self._chain.fee(transaction))},
            "depends": sorted({coin.id for coin in transaction.spends} & set(self._chain.mempool)),
            "bip125-replaceable": transaction.sequence < 0xFFFF_FFFE,
        }

    def getrawmempool(self) -> list[str]:
        """Return the ids of the mempool."""
        return list(self._chain.mempool)

    def gettxout(self, key: str, index: int, include_mempool: bool = True) -> object:
        """Return an unspent output, or null."""
        found = self._chain.unspent(with_mempool=include_mempool).get(Coin(key, index))
        if found is None:
            return None
        value, script, height = found
        return {
            "bestblock": self._head.hash,
            "confirmations": self._head.number - height + 1 if height else 0,
            "value": amount(value),
            "scriptPubKey": {"hex": script.hex()},
            "coinbase": False,
        }

    # -- The node

    def getindexinfo(self) -> object:
        """Return the indexes of the node."""
        synced = {"synced": True, "best_block_height": self._head.number}
        return {"txindex": synced} if self._state.txindex else {}

    def getmempoolinfo(self) -> object:
        """Return the state of the mempool."""
        return {"loaded": True, "size": len(self._chain.mempool), "mempoolminfee": amount(1000)}

    def getnetworkinfo(self) -> object:
        """Return the version of the node."""
        return {"version": 280000, "subversion": "/Satoshi:28.0.0/"}

    # -- Parts

    @property
    def _head(self) -> BitcoinBlock:
        return self._chain.blocks[-1 - self._state.behind]

    def _is_active(self, block: BitcoinBlock) -> bool:
        return self._chain.is_active(block) and block.number <= self._head.number

    def _block(self, block_hash: str) -> BitcoinBlock:
        block = self._chain.block(block_hash)
        if block is None or block.number > self._head.number:
            raise RpcError(NOT_FOUND, "Block not found")
        return block

    def _check_data(self, block: BitcoinBlock) -> None:
        if block.number < self._state.pruned_below:
            raise RpcError(MISC_ERROR, "Block not available (pruned data)")

    def _find(
        self, key: str, block_hash: str | None
    ) -> tuple[BitcoinTransaction, BitcoinBlock | None]:
        if block_hash is not None:
            block = self._chain.block(block_hash)
            if block is None or block.number > self._head.number:
                raise RpcError(NOT_FOUND, "Block hash not found")
            self._check_data(block)
            for transaction in block.transactions:
                if transaction.id == key:
                    return transaction, block
            text = "No such transaction found in the provided block"
            raise RpcError(NOT_FOUND, f"{text}. {_WALLET}")
        found = self._chain.find(key)
        if found is not None and (found[1] is None or self._shows(found[1])):
            return found
        text = "No such mempool or blockchain transaction"
        if not self._state.txindex:
            text = "No such mempool transaction. Use -txindex or provide a block hash to enable "
            text += "blockchain transaction queries"
        raise RpcError(NOT_FOUND, f"{text}. {_WALLET}")

    def _shows(self, block: BitcoinBlock) -> bool:
        return self._state.txindex and block.number <= self._head.number

    def _header(self, block: BitcoinBlock) -> dict[str, Any]:
        is_active = self._is_active(block)
        return {
            "hash": block.hash,
            "confirmations": self._head.number - block.number + 1 if is_active else -1,
            "height": block.number,
            "version": block.version,
            "merkleroot": block.root,
            "time": block.time,
            "mediantime": block.time,
            "nTx": len(block.transactions),
            **({"previousblockhash": block.parent} if block.number else {}),
        }

    def _transaction(self, transaction: BitcoinTransaction, verbosity: int) -> dict[str, Any]:
        found: dict[str, Any] = {
            "txid": transaction.id,
            "hash": transaction.id,
            "version": transaction.version,
            "size": len(transaction.raw),
            "vsize": len(transaction.raw),
            "locktime": 0,
            "vin": [{"txid": coin.id, "vout": coin.index} for coin in transaction.spends]
            or [{"coinbase": transaction.tag.hex()}],
            "vout": [
                {"value": amount(value), "n": index, "scriptPubKey": {"hex": script.hex()}}
                for index, (value, script) in enumerate(transaction.outputs)
            ],
            "hex": transaction.raw.hex(),
        }
        if verbosity > 1 and not transaction.is_coinbase:
            found["fee"] = amount(self._chain.fee(transaction))
        return found
