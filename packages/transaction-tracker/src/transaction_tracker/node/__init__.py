"""The development node: a small Ethereum chain behind JSON-RPC, for tests and demonstrations."""

from transaction_tracker.node.block import Block
from transaction_tracker.node.chain import ETHER, GWEI, Chain, ChainError, Mined, Reorg
from transaction_tracker.node.faults import Fault, Faults, Injection
from transaction_tracker.node.server import DevelopmentNode
from transaction_tracker.node.transaction import Transaction

__all__ = [
    "ETHER",
    "GWEI",
    "Block",
    "Chain",
    "ChainError",
    "DevelopmentNode",
    "Fault",
    "Faults",
    "Injection",
    "Mined",
    "Reorg",
    "Transaction",
]
