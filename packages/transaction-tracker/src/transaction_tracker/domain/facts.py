"""What a source can tell about a transaction: facts, and no decision in them.

Ids, hashes, slots and contents are opaque text: equal or not, and nothing more.
"""

from dataclasses import dataclass
from typing import Literal

from transaction_tracker.domain.states import Required, State, Tag

# "execution" is the fee of a chain whose other fees are not known: gas used times gas price.
FeeScope = Literal["total", "execution"]


@dataclass(frozen=True, slots=True, order=True)
class BlockRef:
    """One block: the same number may have had several, the hash tells them apart."""

    number: int
    hash: str


@dataclass(frozen=True, slots=True)
class Transaction:
    """What is known of a transaction itself.

    Attributes:
        id: Its name at the source.
        slot: The place that it takes and no other can take too (account and sequence number);
            ``None`` where the source has no such thing, or could not be read.
        content: What it does, price left out: equal contents do the same.
        cancels: It does nothing but take its slot.
        max_fee: What it offers at most, in wei per unit of gas, where there is such a thing.
    """

    id: str
    slot: str | None
    content: str
    cancels: bool = False
    max_fee: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a transaction ended in its block.

    Attributes:
        succeeded: Its effects hold.
        fee: What it cost, in the chain's smallest unit, where the source tells.
        error: Why it did not succeed, where the source tells.
        fee_scope: Whether ``fee`` is the whole fee, or without what the chain may take beside it.
    """

    succeeded: bool
    fee: int | None
    error: str | None = None
    fee_scope: FeeScope = "total"


@dataclass(frozen=True, slots=True)
class Seen:
    """The source knows the transaction; no block of ours has it.

    Attributes:
        transaction: What it is.
        at: Unix seconds of the answer.
        base_fee: What a transaction must offer now, in wei per unit of gas.
        gap: An earlier transaction of its sender is unknown to the source.
    """

    transaction: Transaction
    at: float
    base_fee: int | None = None
    gap: bool = False


@dataclass(frozen=True, slots=True)
class Included:
    """The canonical ``block`` has the transaction.

    Attributes:
        transaction: The transaction.
        block: The block.
        outcome: How it ended there; ``None`` when no receipt has a status (before Byzantium).
    """

    transaction: Transaction
    block: BlockRef
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class Overtaken:
    """The canonical ``block`` has ``winner`` in the transaction's slot."""

    winner: Transaction
    block: BlockRef


@dataclass(frozen=True, slots=True)
class Orphaned:
    """``block`` is not canonical any more, as we learn ``at`` (Unix seconds)."""

    block: BlockRef
    at: float


@dataclass(frozen=True, slots=True)
class Buried:
    """The canonical ``block`` has ``confirmations``, itself counted.

    Attributes:
        block: The block.
        confirmations: Blocks from it to the head.
        tags: What the chain itself calls the block.
    """

    block: BlockRef
    confirmations: int
    tags: frozenset[Tag] = frozenset()

    def reaches(self, required: Required) -> bool:
        """Return whether this is deep enough to make a state final."""
        if isinstance(required, str):
            return required in self.tags
        return self.confirmations >= required


@dataclass(frozen=True, slots=True)
class Absent:
    """A source that has ``height`` blocks knows neither the transaction nor what became of it.

    Attributes:
        height: The head of the source that says so, which is not below ours.
        at: Unix seconds of the answer.
    """

    height: int
    at: float


@dataclass(frozen=True, slots=True)
class Vanished:
    """No healthy provider knows the transaction.

    Attributes:
        height: Our head when they were asked.
        at: Unix seconds of the answers.
        nonce_used: Its slot is used, but no block could be found whose transaction took it
            (EIP-7702: an authorization uses up a nonce of its signer).
    """

    height: int
    at: float
    nonce_used: bool = False


@dataclass(frozen=True, slots=True)
class Late:
    """It is ``at`` (Unix seconds), and no healthy provider has the transaction in a block."""

    at: float


@dataclass(frozen=True, slots=True)
class Refused:
    """The source says that this can never be one of its transactions, and ``why``."""

    why: str


@dataclass(frozen=True, slots=True)
class Abandoned:
    """The user wants to hear no more of it."""


@dataclass(frozen=True, slots=True)
class Reported:
    """A source without blocks says in which state the transaction is.

    Attributes:
        state: The state, in our terms.
        error: Why it did not succeed, where the source tells.
    """

    state: State
    error: str | None = None


Observation = (
    Seen
    | Included
    | Overtaken
    | Orphaned
    | Buried
    | Absent
    | Vanished
    | Late
    | Refused
    | Abandoned
    | Reported
)
