"""Values that sources return: facts about transactions, and what the providers say about them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from transaction_tracker.domain import (
    Absent,
    BlockRef,
    Included,
    Link,
    Outcome,
    Rejected,
    Reported,
    Seen,
    Tag,
    Transaction,
)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """All providers that were asked send malformed or contradictory data about a transaction.

    Attributes:
        why: Provider, field and problem.
    """

    why: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """All providers that were asked refuse the requests about a transaction.

    Attributes:
        why: Provider and error.
    """

    why: str


@dataclass(frozen=True, slots=True)
class Unused:
    """No block of the source has a transaction in the slot that was asked about."""


# Fact about one transaction.
Answer = Seen | Included | Absent | Rejected | Reported | Unreadable | Unanswered | Unused


@dataclass(frozen=True, slots=True)
class Consensus:
    """Common answer of all healthy providers about a transaction.

    Attributes:
        kind: ``"unmined"``: no provider has it in a block; ``"absent"``: no provider knows it, and
            its slots are free; ``"nonce-used"``: no provider knows it, and its slot is used;
            ``"conflicted"``: no provider knows it, and an output that it spends is spent or does
            not exist; ``"refused"``: no provider has it in a block, and it is signed for another
            chain; ``"open"``: the providers do not agree.
        providers: Number of providers that were asked.
        reason: Why the providers do not agree.
    """

    kind: Literal["unmined", "absent", "nonce-used", "conflicted", "refused", "open"]
    providers: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Ending:
    """End of a transaction that is about to be reported.

    Attributes:
        block: Block that decides the end.
        succeeded: Whether the transaction succeeded in that block; ``None`` if it was superseded.
        winner: Transaction that superseded it.
        slots: Slots of the transaction, of which the winner took at least one.
        confirmed_by: Kept block that is the last required confirmation; ``None`` if a tag confirms
            the end, or if that block is no longer kept.
        tag: Tag (safe or finalized) that confirms the end, if the transaction requires one.
        outcome: Outcome that is reported with the end; ``None`` if it was superseded.
        content: What the transaction does, as reported with the end.
        hash: Id of the transaction at the source, if it is tracked by its slot.
    """

    block: BlockRef
    succeeded: bool | None
    winner: str | None = None
    slots: tuple[str, ...] = ()
    confirmed_by: BlockRef | None = None
    tag: Tag | None = None
    outcome: Outcome | None = None
    content: str | None = None
    hash: str | None = None


@dataclass(frozen=True, slots=True)
class Contained:
    """Which blocks below the kept blocks are on our chain.

    Only providers whose chains contain our tip count.

    Attributes:
        proven: Blocks that are on our chain. They are linked to our lowest kept block by their
            hashes, or, if they are too far below it, most providers have them, at least two.
        unconfirmed: Blocks that only one provider has.
        denied: Blocks that are not proven, and in whose place a provider has another block.
        linking: Blocks that the links have not reached yet: the next call continues.
    """

    proven: frozenset[BlockRef] = frozenset()
    unconfirmed: frozenset[BlockRef] = frozenset()
    denied: frozenset[BlockRef] = frozenset()
    linking: frozenset[BlockRef] = frozenset()


@dataclass(frozen=True, slots=True)
class Objection:
    """Why an end cannot be reported now.

    Attributes:
        reason: Provider and its statement.
        contradicts: Whether a provider contradicts the end. Otherwise a provider has not agreed
            yet, and is asked again.
        outcome: Outcome in most providers' receipts, if it contradicts the end.
        transaction: The transaction as most providers have it, if it contradicts the end.
        passes: Whether the cause looks like a reorganisation that has not reached all providers
            yet. Such an objection is reported once it lasts.
        providers: Names of the providers that contradict the end.
    """

    reason: str
    contradicts: bool
    outcome: Outcome | None = None
    transaction: Transaction | None = None
    passes: bool = False
    providers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Head:
    """Newest block of the chain, without its transactions.

    Attributes:
        link: The block and its parent.
        marks: The safe and the finalized block, if the chain has these tags.
    """

    link: Link
    marks: Mapping[Tag, BlockRef] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FetchedBlock:
    """Block with its transactions.

    Attributes:
        link: The block and its parent.
        ids: Transaction ids, with their positions in ``body``.
        slots: Slots that its transactions took, with the id of the transaction that took each.
        body: Transactions as the source sent them; only the source reads them.
        unreadable: Number of transactions with an unreadable part.
        hashes_only: Whether ``body`` has hashes in place of transactions: their slots are unknown.
        time: Time of the block in Unix seconds, if it is readable.
        bloom: Filter of the addresses and topics of its logs, of 256 bytes; ``None`` if the source
            did not send a readable one.
    """

    link: Link
    ids: Mapping[str, int]
    slots: Mapping[str, str]
    body: Any
    unreadable: int = 0
    hashes_only: bool = False
    time: int | None = None
    bloom: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """Answers of the providers to a transaction that was sent to them.

    Attributes:
        accepted: Number of providers that have it now.
        providers: Number of providers that were asked.
    """

    accepted: int
    providers: int


@dataclass(frozen=True, slots=True)
class Prefetched:
    """Answers of the followed provider about a block that is about to be applied.

    Attributes:
        outcomes: Outcomes of transactions of the block. A missing outcome is fetched by
            ``ChainSource.outcomes``.
        opinion: Argument for ``objections``; only the source reads it.
    """

    outcomes: Mapping[str, Outcome | Unreadable | None] = field(default_factory=dict)
    opinion: object = None
