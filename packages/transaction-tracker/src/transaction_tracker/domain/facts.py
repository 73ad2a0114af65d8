"""What a source reports about a transaction: facts, without decisions.

Ids, hashes, slots and contents are opaque text, compared only for equality.
"""

from typing import Literal

from msgspec import Struct

from transaction_tracker.domain.details import Execution, Payment
from transaction_tracker.domain.states import Reason, Required, State, Tag
from transaction_tracker.domain.structs import compared_without

# "execution": gas used times gas price, on a chain whose other fees are unknown.
FeeScope = Literal["total", "execution"]


class BlockRef(Struct, frozen=True, order=True):
    """One block; branches can have different blocks with the same number, but not the same hash."""

    number: int
    hash: str


@compared_without("payment", shown=False)
class Transaction(Struct, frozen=True):
    """The content of a transaction.

    Attributes:
        id: The transaction id at the source.
        slots: What it uses up, such as its account with its sequence number, or the outputs that it
            spends: only one transaction of a chain can use each. Empty where the source has no
            slots, or they could not be read.
        content: What the transaction does, without its price; equal contents have equal effects.
        cancels: Whether it has no effect except that it uses its slots.
        max_fee: Maximum fee in wei per unit of gas; ``None`` where the source has no such fee.
        min_confirmations: Number of confirmations below which it is never final, even if fewer are
            required: the reward of a block cannot be spent before.
        payment: Who pays whom how much; ``None`` if the source does not report it. Not compared: a
            provider can leave out parts of it.
    """

    id: str
    slots: tuple[str, ...]
    content: str
    cancels: bool = False
    max_fee: int | None = None
    min_confirmations: int = 1
    payment: Payment | None = None


@compared_without("execution", shown=False)
class Outcome(Struct, frozen=True):
    """The result of a transaction in its block.

    Attributes:
        succeeded: Whether the transaction succeeded.
        fee: What it cost, in the chain's smallest unit; ``None`` if the source does not report it.
        error: Why it failed; ``None`` if it succeeded or the source does not report it.
        fee_scope: Whether ``fee`` is the whole fee or only that of the execution.
        gas_used: Units of gas used; ``None`` if the source does not report it.
        effects: Digest of ``Execution.effects``; ``None`` if it is unknown.
        execution: The execution itself. Only in a fact that a source reports: the state of a
            transaction is kept without it, because it can be large. Not compared: ``effects`` is.
    """

    succeeded: bool
    fee: int | None
    error: str | None = None
    fee_scope: FeeScope = "total"
    gas_used: int | None = None
    effects: str | None = None
    execution: Execution | None = None

    def without_execution(self) -> "Outcome":
        """Return what is kept in memory of it."""
        return Outcome(
            self.succeeded, self.fee, self.error, self.fee_scope, self.gas_used, self.effects
        )

    def conflicts(self, other: "Outcome") -> tuple[str, ...]:
        """Return the names of the facts that both outcomes have, with different values."""
        # Fees of different scopes are different quantities.
        same_scope = self.fee_scope == other.fee_scope
        pairs = {
            "status": (self.succeeded, other.succeeded),
            "gas used": (self.gas_used, other.gas_used),
            "fee": (self.fee, other.fee if same_scope else None),
            "token transfers": (self.effects, other.effects),
        }
        return tuple(
            name
            for name, (ours, theirs) in pairs.items()
            if ours is not None and theirs is not None and ours != theirs
        )


class Seen(Struct, frozen=True):
    """The source knows the transaction, but no block that we know has it.

    Attributes:
        transaction: The transaction.
        at: Unix seconds of the answer.
        base_fee: Base fee of the last head in wei per unit of gas; ``None`` if the chain has none.
        gap: Whether an earlier transaction of its sender is unknown to the source.
    """

    transaction: Transaction
    at: float
    base_fee: int | None = None
    gap: bool = False


class Included(Struct, frozen=True):
    """The transaction is in the canonical ``block``.

    Attributes:
        transaction: The transaction.
        block: The block.
        outcome: The result; ``None`` if no receipt has a status (before Byzantium).
    """

    transaction: Transaction
    block: BlockRef
    outcome: Outcome | None


class Overtaken(Struct, frozen=True):
    """``winner`` used a slot of the transaction in the canonical ``block``."""

    winner: Transaction
    block: BlockRef


class Orphaned(Struct, frozen=True):
    """``block`` was removed by a reorganisation, detected ``at`` (Unix seconds)."""

    block: BlockRef
    at: float


class Buried(Struct, frozen=True):
    """The canonical ``block`` has a number of confirmations.

    Attributes:
        block: The block.
        confirmations: Number of blocks from it to the head, both counted.
        tags: Tags of the chain that the block has reached.
    """

    block: BlockRef
    confirmations: int
    tags: frozenset[Tag] = frozenset()

    def reaches(self, required: Required) -> bool:
        """Return whether the block meets a requirement."""
        if isinstance(required, str):
            return required in self.tags
        return self.confirmations >= required


class Absent(Struct, frozen=True):
    """A source whose head is at ``height`` has neither the transaction nor a receipt of it.

    Attributes:
        height: Head of that source, which is at or past ours.
        at: Unix seconds of the answer.
    """

    height: int
    at: float


class Vanished(Struct, frozen=True):
    """No healthy provider knows the transaction.

    Attributes:
        height: Our head when they were asked.
        at: Unix seconds of the answers.
        reason: Why it cannot be in a later block, if that is known: ``"nonce-used"``: its slot is
            used, but no transaction was found that used it (EIP-7702: an authorization uses a nonce
            of its signer); ``"conflicted"``: an output that it spends is spent, or does not exist.
    """

    height: int
    at: float
    reason: Reason | None = None


class Late(Struct, frozen=True):
    """At ``at`` (Unix seconds), no healthy provider has the transaction in a block."""

    at: float


class Rejected(Struct, frozen=True):
    """The source rejected the transaction: it can never be one of its transactions."""

    why: str


class Abandoned(Struct, frozen=True):
    """The user stopped tracking the transaction."""


class Reported(Struct, frozen=True):
    """A source without blocks reports the state of the transaction.

    Attributes:
        state: The state, mapped to ours.
        error: Why it failed; ``None`` if it did not, or the source does not report it.
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
    | Rejected
    | Abandoned
    | Reported
)
