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
from transaction_tracker.node.faults.heads import FrozenHead, LaggingHead, SilentHeads
from transaction_tracker.node.faults.injector import Faults, Injection
from transaction_tracker.node.faults.kind import Fault
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
    "ForeignReceipt",
    "FrozenHead",
    "Hang",
    "Indexing",
    "Injection",
    "LaggingHead",
    "LaggingReceipts",
    "MethodNotFound",
    "NotJson",
    "RateLimit",
    "RefusedBatch",
    "ServerFailure",
    "SilentHeads",
    "SlowAnswer",
    "StaleNull",
    "WrongChainId",
    "WrongId",
    "describe",
    "parse",
]
