"""Faults of the node: values that are injected and cleared while the node runs."""

from txtrack_devnode.faults.errors import CallError, Indexing, MethodNotFound
from txtrack_devnode.faults.exchanges import (
    CutOff,
    Death,
    Hang,
    NotJson,
    RateLimit,
    ServerFailure,
    SlowAnswer,
)
from txtrack_devnode.faults.heads import (
    Forked,
    FrozenHead,
    LaggingHead,
    LoadBalanced,
    ResetChain,
    SilentHeads,
)
from txtrack_devnode.faults.injector import FaultInjector, Injection
from txtrack_devnode.faults.kind import Fault
from txtrack_devnode.faults.odd_blocks import HashesOnly, PrunedBlocks, WrongParent
from txtrack_devnode.faults.odd_receipts import FlippedStatus, MissingReceipt, NoStatus
from txtrack_devnode.faults.odd_transactions import (
    ListedTwice,
    OddField,
    OddPending,
    Unprotected,
)
from txtrack_devnode.faults.requests import DuplicatedAnswer, RefusedBatch, WrongId
from txtrack_devnode.faults.results import (
    DuplicatedTransaction,
    ForeignReceipt,
    LaggingReceipts,
    StaleNull,
    WrongChainId,
)
from txtrack_devnode.faults.spec import KINDS, describe, parse

__all__ = [
    "KINDS",
    "CallError",
    "CutOff",
    "Death",
    "DuplicatedAnswer",
    "DuplicatedTransaction",
    "Fault",
    "FaultInjector",
    "FlippedStatus",
    "ForeignReceipt",
    "Forked",
    "FrozenHead",
    "Hang",
    "HashesOnly",
    "Indexing",
    "Injection",
    "LaggingHead",
    "LaggingReceipts",
    "ListedTwice",
    "LoadBalanced",
    "MethodNotFound",
    "MissingReceipt",
    "NoStatus",
    "NotJson",
    "OddField",
    "OddPending",
    "PrunedBlocks",
    "RateLimit",
    "RefusedBatch",
    "ResetChain",
    "ServerFailure",
    "SilentHeads",
    "SlowAnswer",
    "StaleNull",
    "Unprotected",
    "WrongChainId",
    "WrongId",
    "WrongParent",
    "describe",
    "parse",
]
