"""Which chain a provider holds, as far as its last answers tell: values, no clock."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from transaction_tracker.domain import BlockRef, Chain, Link
from transaction_tracker.providers.choice import OURS

Side: TypeAlias = Literal["same", "other", "unknown"]
"""The chain that a provider holds, compared with ours."""


@dataclass(frozen=True, slots=True)
class View:
    """The last blocks that a provider showed of its chain.

    A view holds facts only. They are compared with our chain when they are read, because a
    head that is ahead of our tip now can be compared once our chain has reached its height.

    Attributes:
        head: The provider's head.
        head_at: When it was told, in seconds of the caller's clock.
        block: Its block at about the height of our tip at that time, where it was asked for.
        block_at: When that block was told; never later than the head.
    """

    head: Link
    head_at: float
    block: Link | None = None
    block_at: float = 0.0

    def with_head(self, head: Link, now: float) -> "View":
        """Return the view after a new head."""
        return replace(self, head=head, head_at=now)

    def since(self, start: float) -> "View | None":
        """Return what was told at ``start`` or later, if anything."""
        if self.head_at < start:
            return None
        return self if self.block_at >= start else View(self.head, self.head_at)

    def side(self, chain: Chain) -> Side:
        """Return which chain the provider holds.

        The head comes first because it is newer. A head below the lowest kept block and one
        that is more than a block above our tip cannot be compared; the block at our tip's
        height can.
        """
        side = _compared(self.head, chain)
        if side == "unknown" and self.block is not None:
            return _compared(self.block, chain)
        return side

    def agreed(self, chain: Chain) -> int | None:
        """Return the greatest height at which a block of the provider is one of ours.

        Its hash commits to all blocks below it, so the provider agrees on all of them. A block
        that was told before a head that is not ours proves nothing: the provider has
        reorganised since, and perhaps from below that block.
        """
        view = self
        if self.block_at < self.head_at and _compared(self.head, chain) == "other":
            view = View(self.head, self.head_at)
        return max((ref.number for ref in view._refs() if chain.holds(ref)), default=None)

    def contradicted(self, chain: Chain) -> int | None:
        """Return the lowest known height at which the provider holds another block than ours."""
        return min((ref.number for ref in self._refs() if _contradicts(ref, chain)), default=None)

    def hashes(self, chain: Chain) -> frozenset[str]:
        """Return the hashes of the known blocks that our chain does not hold."""
        return frozenset(ref.hash for ref in self._refs() if not chain.holds(ref))

    def _refs(self) -> Iterator[BlockRef]:
        for link in (self.head, self.block):
            if link is not None:
                yield link.ref
                yield link.parent_ref


def grouped(views: Mapping[str, View | None], chain: Chain) -> dict[str, str | None]:
    """Sort providers into groups that hold the same chain.

    Two providers off our chain are in one group when they have shown a block in common: the
    same one, or the parent of one. Their views must be of about the same height for that.

    Args:
        views: What each provider has shown, by name; ``None`` for nothing recent.
        chain: Our chain.

    Returns:
        For each provider the label of its group: ``OURS``, the name of the first provider of
        the group, or ``None`` where its chain is unknown.
    """
    labels: dict[str, str | None] = {}
    seen: dict[str, str] = {}  # hash of a block off our chain -> label
    for name, view in views.items():
        side = "unknown" if view is None else view.side(chain)
        labels[name] = OURS if side == "same" else None
        if view is None or side != "other":
            continue
        hashes = view.hashes(chain)
        joined = {seen[block] for block in hashes if block in seen}
        label = min(joined, default=name)
        labels |= {one: label for one, former in labels.items() if former in joined}
        labels[name] = label
        seen |= dict.fromkeys(hashes, label)
        seen |= {block: label for block, former in seen.items() if former in joined}
    return labels


def _compared(link: Link, chain: Chain) -> Side:
    for ref in (link.ref, link.parent_ref):  # the parent, for a head that is our tip's child
        kept = chain.at(ref.number)
        if kept is not None:
            return "same" if kept.hash == ref.hash else "other"
    return "unknown"


def _contradicts(ref: BlockRef, chain: Chain) -> bool:
    kept = chain.at(ref.number)
    return kept is not None and kept.hash != ref.hash
