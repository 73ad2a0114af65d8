"""The text form of faults, for `--fault` and ``dev_inject``: ``name:option=value,…``."""

from dataclasses import fields

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
from txtrack_devnode.faults.kind import Fault
from txtrack_devnode.faults.odd_blocks import HashesOnly, PrunedBlocks, WrongParent
from txtrack_devnode.faults.odd_receipts import FlippedStatus, MissingReceipt, NoStatus
from txtrack_devnode.faults.odd_transactions import (
    ListedTwice,
    OddField,
    OddPending,
    Unprotected,
)
from txtrack_devnode.faults.options import OPTIONS, format_value
from txtrack_devnode.faults.requests import DuplicatedAnswer, RefusedBatch, WrongId
from txtrack_devnode.faults.results import (
    DuplicatedTransaction,
    ForeignReceipt,
    LaggingReceipts,
    StaleNull,
    WrongChainId,
)

MAX_SPEC_LENGTH = 1_000
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
"""All kinds of faults, grouped by subject."""

_BY_NAME = {kind.name: kind for kind in KINDS}


def parse(text: str) -> Fault:
    """Parse a fault: a name, or a name with options as in ``rate-limit:p=0.1,retry_after=2``.

    Raises:
        ValueError: The fault or an option is unknown, or a value is invalid.
    """
    if len(text) > MAX_SPEC_LENGTH:
        raise ValueError(f"a fault must have at most {MAX_SPEC_LENGTH} characters, got {len(text)}")
    name, _, rest = text.partition(":")
    kind = _BY_NAME.get(name)
    if kind is None:
        raise ValueError(f"a fault must be one of {', '.join(_BY_NAME)}, got {name[:80]!r}")
    parts = [_option(kind, part) for part in rest.split(",")] if rest else []
    given = dict(parts)
    if len(given) < len(parts):
        raise ValueError(f"{kind.name}: each option can be given only once, got {rest[:80]!r}")
    return kind(**given)  # type: ignore[arg-type]


def describe(fault: Fault) -> str:
    """Return the text of a fault, which `parse` turns into an equal fault."""
    given = [
        f"{field.name}={format_value(value)}"
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
        return name, option.parse(value)
    except (ValueError, KeyError):
        message = f"{kind.name}: {name} must be {option.expected}, got {value[:80]!r}"
        raise ValueError(message) from None
