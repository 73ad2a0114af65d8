"""What every source can do: tell facts. What follows from them is decided elsewhere."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from transaction_tracker.domain import Included, Link, Outcome, Seen, Transaction


@dataclass(frozen=True, slots=True)
class Block:
    """One block and what is in it.

    Attributes:
        link: The block and its parent.
        ids: The ids of its transactions, with their places in ``body``.
        slots: The slots that its transactions took, and which one took each.
        body: The transactions as the source wrote them; only the source reads it.
    """

    link: Link
    ids: Mapping[str, int]
    slots: Mapping[str, str]
    body: Any


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
    def requests(self) -> int:
        """How many requests were sent so far."""

    def identify(self, text: str) -> str:
        """Write a transaction id in its one form, or raise ``InvalidTransactionError``."""

    async def check(self, *, again: bool = False) -> None:
        """Make sure that this is the source it should be; ``again`` even if it was before."""

    async def head(self) -> Link:
        """Fetch the highest block, without what is in it."""

    async def block(self, block_hash: str) -> Block:
        """Fetch one block with its transactions."""

    async def links(self, numbers: Collection[int]) -> Mapping[int, Link]:
        """Fetch the canonical blocks of these heights, as far as there are any."""

    def transaction(self, block: Block, transaction_id: str) -> Transaction:
        """Describe a transaction of a fetched block."""

    async def outcomes(self, block: Block, ids: Collection[str]) -> Mapping[str, Outcome]:
        """Fetch how these transactions of the block ended, as far as the source knows."""

    async def look_up(self, ids: Collection[str]) -> Mapping[str, Seen | Included]:
        """Fetch what is known of single transactions; one that is not known is left out."""

    async def close(self) -> None:
        """Let connections go; the next request opens them again."""
