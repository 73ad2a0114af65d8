"""The development node: a small Ethereum chain behind JSON-RPC, for tests and for the demo."""

from txtrack_devnode.block import Block
from txtrack_devnode.blocks import Mined
from txtrack_devnode.chain import ETHER, GWEI, Chain, ChainError, Reorg
from txtrack_devnode.faults import Fault, FaultInjector, Injection
from txtrack_devnode.rules import SYSTEM_TRANSACTIONS, ChainRules, SystemTransaction
from txtrack_devnode.server import DevelopmentNode
from txtrack_devnode.transaction import Authorization, Transaction

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
    "FaultInjector",
    "Injection",
    "Mined",
    "Reorg",
    "SystemTransaction",
    "Transaction",
]
