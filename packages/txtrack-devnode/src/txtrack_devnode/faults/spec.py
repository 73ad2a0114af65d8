"""Faults in text, for the command line and the control methods: ``name:option=value,…``."""

from dataclasses import fields

from txtrack_devnode.faults.distortions import (
    DuplicatedTransaction,
    ForeignReceipt,
    LaggingReceipts,
    StaleNull,
    WrongChainId,
)
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
from txtrack_devnode.faults.kind import Fault
from txtrack_devnode.faults.odd_blocks import HashesOnly, PrunedBlocks, WrongParent
from txtrack_devnode.faults.odd_receipts import FlippedStatus, MissingReceipt, NoStatus
from txtrack_devnode.faults.odd_transactions import (
    ListedTwice,
    OddField,
    OddPending,
    Unprotected,
)
from txtrack_devnode.faults.options import OPTIONS, written
from txtrack_devnode.faults.refusals import CallError, Indexing, MethodNotFound
from txtrack_devnode.faults.requests import DuplicatedAnswer, RefusedBatch, WrongId

LONGEST_SPEC = 1_000
_SHORT = {"p": "probability"}

KINDS: tuple[type[Fault], ...] = (
    *(StaleNull, LaggingReceipts, LaggingHead, FrozenHead, SilentHeads, Indexing),
    *(Forked, ResetChain, LoadBalanced),
    *(RateLimit, ServerFailure, SlowAnswer, CutOff, Hang, Death),
    *(WrongChainId, MethodNotFound, CallError, RefusedBatch),
    *(NotJson, WrongId, DuplicatedAnswer, ForeignReceipt, DuplicatedTransaction),
    *(OddField, Unprotected, ListedTwice, OddPending),
    *(MissingReceipt, NoStatus, FlippedStatus, HashesOnly, WrongParent, PrunedBlocks),
)
"""All faults, those of one sort together."""

_BY_NAME = {kind.name: kind for kind in KINDS}


def parse(text: str) -> Fault:
    """Read a fault: its name alone, or with options as in ``rate-limit:p=0.1,retry_after=2``.

    Raises:
        ValueError: There is no such fault or option, or an option has no possible value.
    """
    if len(text) > LONGEST_SPEC:
        raise ValueError(f"a fault has at most {LONGEST_SPEC} letters, got {len(text)}")
    name, _, rest = text.partition(":")
    kind = _BY_NAME.get(name)
    if kind is None:
        raise ValueError(f"a fault must be one of {', '.join(_BY_NAME)}, got {name[:80]!r}")
    parts = [_option(kind, part) for part in rest.split(",")] if rest else []
    given = dict(parts)
    if len(given) < len(parts):
        raise ValueError(f"{kind.name}: each option may be given once, got {rest[:80]!r}")
    return kind(**given)  # type: ignore[arg-type]


def describe(fault: Fault) -> str:
    """Write a fault so that ``parse`` reads the same one."""
    given = [
        f"{field.name}={written(value)}"
        for field in fields(fault)
        if (value := getattr(fault, field.name)) != field.default
    ]
    return f"{fault.name}:{','.join(given)}" if given else fault.name


def _option(kind: type[Fault], text: str) -> tuple[str, object]:
    key, _, value = text.partition("=")
    name = _SHORT.get(key, key)
    known = [field.name for field in fields(kind)]
    if name not in known:
        raise ValueError(
            f"{kind.name} has the options {', '.join(known)} (p is short for probability), "
            f"got {key[:80]!r}"
        )
    option = OPTIONS[name]
    try:
        return name, option.read(value)
    except (ValueError, KeyError):
        message = f"{kind.name}: {name} must be {option.wanted}, got {value[:80]!r}"
        raise ValueError(message) from None
