"""The development node: a small Ethereum chain behind JSON-RPC, for tests and demonstrations."""

from transaction_tracker.node.block import Block
from transaction_tracker.node.blocks import Mined
from transaction_tracker.node.chain import ETHER, GWEI, Chain, ChainError, Reorg
from transaction_tracker.node.faults import Fault, Faults, Injection
from transaction_tracker.node.rules import SYSTEM_TRANSACTIONS, ChainRules, SystemTransaction
from transaction_tracker.node.server import DevelopmentNode
from transaction_tracker.node.transaction import Authorization, Transaction

__all__ = [
    "ETHER",
    "GWEI",
    "SYSTEM_TRANSACTIONS",
    "Authorization",
    "Block",
    "Chain",
    "ChainError",
    "ChainRules",
    "DevelopmentNode",
    "Fault",
    "Faults",
    "Injection",
    "Mined",
    "Reorg",
    "SystemTransaction",
    "Transaction",
]
