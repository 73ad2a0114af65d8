"""What a source can tell about a transaction: facts, and no decision in them.

Ids, hashes, slots and contents are opaque text: equal or not, and nothing more.
"""

from dataclasses import dataclass


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
        slot: The place that it takes and no other can take too (account and sequence number).
        content: What it does, price left out: equal contents do the same.
        cancels: It does nothing but take its slot.
    """

    id: str
    slot: str
    content: str
    cancels: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a transaction ended in its block.

    Attributes:
        succeeded: Its effects hold.
        fee: What it cost, in the chain's smallest unit, where the source tells.
        error: Why it did not succeed, where the source tells.
    """

    succeeded: bool
    fee: int | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """The source knows the transaction; no block of ours has it."""

    transaction: Transaction


@dataclass(frozen=True, slots=True)
class Included:
    """The canonical ``block`` has the transaction."""

    transaction: Transaction
    block: BlockRef
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Overtaken:
    """The canonical ``block`` has ``winner`` in the transaction's slot."""

    winner: Transaction
    block: BlockRef


@dataclass(frozen=True, slots=True)
class Orphaned:
    """``block`` is not canonical any more."""

    block: BlockRef


@dataclass(frozen=True, slots=True)
class Buried:
    """The canonical ``block`` has ``confirmations``, itself counted."""

    block: BlockRef
    confirmations: int


Observation = Seen | Included | Overtaken | Orphaned | Buried
