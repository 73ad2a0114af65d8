"""Which chain a provider holds, as far as its last blocks show: values, without a clock."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from transaction_tracker.domain import BlockRef, KeptChain, Link
from transaction_tracker.providers.choice import FOLLOWED_CHAIN

Side: TypeAlias = Literal["same", "other", "unknown"]
"""The chain that a provider holds, compared with the followed chain."""


@dataclass(frozen=True, slots=True)
class View:
    """The last blocks that a provider showed of its chain.

    A view holds facts only. They are compared with the followed chain when they are used: a head
    above the followed tip can be compared later, once the followed chain has reached its height.

    Attributes:
        head: The provider's head.
        head_at: When the head arrived, in seconds of the caller's clock.
        block: The provider's block at about the height of the followed tip, if it was asked for.
        block_at: When that block arrived; never later than the head.
    """

    head: Link
    head_at: float
    block: Link | None = None
    block_at: float = 0.0

    def with_head(self, head: Link, now: float) -> "View":
        """Return the view with a new head."""
        return replace(self, head=head, head_at=now)

    def since(self, start: float) -> "View | None":
        """Return the view of what arrived at ``start`` or later; ``None`` if nothing did."""
        if self.head_at < start:
            return None
        return self if self.block_at >= start else View(self.head, self.head_at)

    def side(self, chain: KeptChain) -> Side:
        """Return which chain the provider holds.

        The head is compared first because it is newer. A head below the lowest kept block, or
        more than one block above the followed tip, cannot be compared; then the block at the
        height of the tip decides.
        """
        side = _compare(self.head, chain)
        if side == "unknown" and self.block is not None:
            return _compare(self.block, chain)
        return side

    def agreed_height(self, chain: KeptChain) -> int | None:
        """Return the greatest height at which a block of the provider is in the followed chain.

        Its hash commits to all blocks below it, so the provider agrees on all of them. A block
        that arrived before a head of another chain proves nothing: the provider has reorganised
        since, and possibly from below that block.
        """
        view = self
        if self.block_at < self.head_at and _compare(self.head, chain) == "other":
            view = View(self.head, self.head_at)
        return max((ref.number for ref in view._refs() if chain.holds(ref)), default=None)

    def contradicted_height(self, chain: KeptChain) -> int | None:
        """Return the lowest known height at which the provider contradicts the followed chain."""
        return min((ref.number for ref in self._refs() if _contradicts(ref, chain)), default=None)

    def other_hashes(self, chain: KeptChain) -> frozenset[str]:
        """Return the hashes of the known blocks that are not in the followed chain."""
        return frozenset(ref.hash for ref in self._refs() if not chain.holds(ref))

    def _refs(self) -> Iterator[BlockRef]:
        for link in (self.head, self.block):
            if link is not None:
                yield link.ref
                yield link.parent_ref


def group_by_chain(views: Mapping[str, View | None], chain: KeptChain) -> dict[str, str | None]:
    """Group providers by the chain that they hold.

    Two providers off the followed chain are in one group when their views have a block or a
    parent in common. For that, their views must be of about the same height.

    Args:
        views: The view of each provider, by name; ``None`` without a recent one.
        chain: The followed chain.

    Returns:
        For each provider the label of its group: ``FOLLOWED_CHAIN``, the name of the first
        provider of the group, or ``None`` if its chain is unknown.
    """
    labels: dict[str, str | None] = {}
    known: dict[str, str] = {}  # hash of a block off the followed chain -> label
    for name, view in views.items():
        side = "unknown" if view is None else view.side(chain)
        labels[name] = FOLLOWED_CHAIN if side == "same" else None
        if view is None or side != "other":
            continue
        hashes = view.other_hashes(chain)
        joined = {known[block] for block in hashes if block in known}
        label = min(joined, default=name)
        labels |= {member: label for member, old in labels.items() if old in joined}
        labels[name] = label
        known |= dict.fromkeys(hashes, label)
        known |= {block: label for block, old in known.items() if old in joined}
    return labels


def _compare(link: Link, chain: KeptChain) -> Side:
    for ref in (link.ref, link.parent_ref):  # the parent: the head can be the child of the tip
        kept = chain.at(ref.number)
        if kept is not None:
            return "same" if kept.hash == ref.hash else "other"
    return "unknown"


def _contradicts(ref: BlockRef, chain: KeptChain) -> bool:
    kept = chain.at(ref.number)
    return kept is not None and kept.hash != ref.hash
