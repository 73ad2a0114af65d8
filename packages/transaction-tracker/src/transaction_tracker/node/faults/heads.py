"""Faults of the head: the node is behind, stands still, or tells nobody."""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from transaction_tracker.node.chain import Chain, ChainError
from transaction_tracker.node.faults.kind import Fault, ViewFault
from transaction_tracker.node.view import View, behind


@dataclass(frozen=True, slots=True, kw_only=True)
class LaggingHead(ViewFault):
    """All answers are those of a node ``blocks`` behind, subscriptions too while it is constant."""

    name: ClassVar[str] = "lagging-head"
    blocks: int = 1

    def view(self, chain: Chain) -> View:
        """Stand under the head."""
        return behind(chain, self.blocks)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenHead(ViewFault):
    """The node hears of no block after block ``at``, also when a reorg throws that one out.

    Left out, ``at`` is the head when the fault is injected.
    """

    name: ClassVar[str] = "frozen-head"
    at: str | None = None

    def settled(self, chain: Chain) -> Self:
        """Take the head of now; refuse a block that is unknown."""
        if self.at is None:
            return replace(self, at=chain.head.hash)
        if chain.block_by_hash(self.at) is None:
            raise ChainError(f"{self.name}: no block has the hash {self.at}")
        return self

    def view(self, chain: Chain) -> View:
        """Stand at the block."""
        block = chain.block_by_hash(self.at or chain.head.hash)
        assert block is not None  # noqa: S101 - ``settled`` has seen it, and none is forgotten
        return View(chain, block, block.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentHeads(Fault):
    """Subscriptions to ``newHeads`` get nothing, all else is well."""

    name: ClassVar[str] = "silent-heads"
    concerned: ClassVar[frozenset[str]] = frozenset(("eth_subscribe",))
