"""What every source can do: tell facts. What follows from them is decided elsewhere."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeGuard

from transaction_tracker.domain import (
    Absent,
    Included,
    Link,
    Outcome,
    Refused,
    Reported,
    Seen,
    Tag,
    Transaction,
)

# What one source says about one transaction.
Answer = Seen | Included | Absent | Refused | Reported

# What all healthy providers say together about a transaction: that none has it in a
# block; or even that none knows it, and that its slot is free.
Consensus = Literal["unmined", "absent"]


@dataclass(frozen=True, slots=True)
class Head:
    """The highest block, without what is in it.

    Attributes:
        link: The block and its parent.
        marks: The heights up to which the chain gives its own word, where it does.
    """

    link: Link
    marks: Mapping[Tag, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Block:
    """One block and what is in it.

    Attributes:
        link: The block and its parent.
        ids: The ids of its transactions, with their places in ``body``.
        slots: The slots that its transactions took, and which transaction took each.
        body: The transactions as the source wrote them; only the source reads it.
        unreadable: Number of transactions of which a part could not be read.
        hashes_only: Whether ``body`` has hashes in place of transactions, so that nothing is
            known of their slots.
    """

    link: Link
    ids: Mapping[str, int]
    slots: Mapping[str, str]
    body: Any
    unreadable: int = 0
    hashes_only: bool = False


class Source(Protocol):
    """Where transactions live.

    Methods that ask the source raise ``SourceError`` when it gives no answer. No
    answer, and an answer that the source knows nothing, are no facts about a
    transaction.
    """

    @property
    def name(self) -> str:
        """What the source is called, once ``check`` has succeeded: kept data belong to it."""

    @property
    def id_pattern(self) -> str | None:
        """What an id looks like: a regular expression for people and other programs."""

    @property
    def requests(self) -> int:
        """How many requests were sent so far."""

    def identify(self, text: str) -> str:
        """Write a transaction id in its one form, or raise ``InvalidTransactionError``."""

    async def check(self, *, again: bool = False) -> None:
        """Make sure that this is the source it should be; ``again`` even if it was before."""

    async def close(self) -> None:
        """Let connections go; the next request opens them again."""


class ChainSource(Source, Protocol):
    """A source that tells what happens block by block."""

    async def head(self, *, marks: bool = False) -> Head:
        """Fetch the highest block, and the chain's own marks if they are wanted."""

    async def block(self, block_hash: str) -> Block:
        """Fetch one block with its transactions."""

    async def links(self, numbers: Collection[int]) -> Mapping[int, Link]:
        """Fetch the canonical blocks of these heights, as far as there are any."""

    def transaction(self, block: Block, transaction_id: str) -> Transaction:
        """Describe a transaction of a fetched block."""

    async def outcomes(self, block: Block, ids: Collection[str]) -> Mapping[str, Outcome]:
        """Fetch how these transactions of the block ended, as far as the source knows."""

    async def look_up(
        self, slots: Mapping[str, str | None], height: int, *, at_once: bool = False
    ) -> Mapping[str, Answer]:
        """Fetch what is known of single transactions.

        Args:
            slots: The transactions, with their slots where these are known.
            height: Our head: a source that is below it cannot say that there is none.
            at_once: In one request, with all that might be needed, and not step by step.

        Returns:
            The answers that are facts; a transaction without one is left out.
        """

    async def consensus(
        self, slots: Mapping[str, str | None], height: int
    ) -> Mapping[str, Consensus]:
        """Ask every healthy provider, and give what all of them agree about.

        One that gives no answer, or is below ``height``, leaves everything open.
        """


def has_blocks(source: Source) -> TypeGuard[ChainSource]:
    """Say whether a source tells what happens block by block."""
    # Not by isinstance: before Python 3.12 that reads every property of a protocol, and a
    # source has no name before it has been asked.
    return callable(getattr(source, "head", None))
