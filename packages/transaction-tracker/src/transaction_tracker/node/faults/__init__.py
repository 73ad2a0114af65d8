"""Misbehaviour on demand: faults as values, switched on and off while the node runs."""

from transaction_tracker.node.faults.distortions import (
    DuplicatedTransaction,
    ForeignReceipt,
    LaggingReceipts,
    StaleNull,
    WrongChainId,
)
from transaction_tracker.node.faults.exchanges import (
    CutOff,
    Death,
    Hang,
    NotJson,
    RateLimit,
    ServerFailure,
    SlowAnswer,
)
from transaction_tracker.node.faults.heads import (
    Forked,
    FrozenHead,
    LaggingHead,
    LoadBalanced,
    ResetChain,
    SilentHeads,
)
from transaction_tracker.node.faults.injector import Faults, Injection
from transaction_tracker.node.faults.kind import Fault
from transaction_tracker.node.faults.odd_blocks import HashesOnly, PrunedBlocks, WrongParent
from transaction_tracker.node.faults.odd_receipts import FlippedStatus, MissingReceipt, NoStatus
from transaction_tracker.node.faults.odd_transactions import (
    ListedTwice,
    OddField,
    OddPending,
    Unprotected,
)
from transaction_tracker.node.faults.refusals import CallError, Indexing, MethodNotFound
from transaction_tracker.node.faults.requests import DuplicatedAnswer, RefusedBatch, WrongId
from transaction_tracker.node.faults.spec import KINDS, describe, parse

__all__ = [
    "KINDS",
    "CallError",
    "CutOff",
    "Death",
    "DuplicatedAnswer",
    "DuplicatedTransaction",
    "Fault",
    "Faults",
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
