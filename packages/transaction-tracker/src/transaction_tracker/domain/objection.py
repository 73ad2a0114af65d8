"""What a provider objected to an end and has not withdrawn."""

from dataclasses import dataclass

from transaction_tracker.domain.facts import BlockRef


@dataclass(frozen=True, slots=True)
class StandingObjection:
    """An objection of one provider to an end that it contradicted.

    Attributes:
        transaction: The transaction.
        provider: Who objected.
        reason: What it said, with its name.
        passes: Whether it was about blocks on top of the end's block.
        block: The block that decides the end.
        succeeded: Whether the transaction succeeded there; ``None`` for one that was superseded.
        winner: The transaction that superseded it.
        confirmed_by: The last confirmation asked for; ``None`` where it is not a block.
    """

    transaction: str
    provider: str
    reason: str
    passes: bool
    block: BlockRef
    succeeded: bool | None
    winner: str | None = None
    confirmed_by: BlockRef | None = None
