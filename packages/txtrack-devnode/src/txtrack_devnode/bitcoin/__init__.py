"""A small Bitcoin network of its own (regtest) behind the JSON-RPC of Bitcoin Core, for tests."""

from txtrack_devnode.bitcoin.chain import BitcoinChain, RejectedError
from txtrack_devnode.bitcoin.node import BitcoinNode
from txtrack_devnode.bitcoin.wire import COIN, BitcoinBlock, BitcoinTransaction, Coin, key_script

__all__ = [
    "COIN",
    "BitcoinBlock",
    "BitcoinChain",
    "BitcoinNode",
    "BitcoinTransaction",
    "Coin",
    "RejectedError",
    "key_script",
]
