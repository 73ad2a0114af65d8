"""Abandoned branches: an address with nodes on two branches returns heads of both in turn."""

from collections.abc import Sequence

from transaction_tracker.domain import KeptChain, Link

# More than any reorganisation above the final blocks undoes.
MAX_BLOCKS = 256
# A left branch whose head is more blocks above our tip than this is followed again.
MAX_BEHIND_BLOCKS = 2


class Branches:
    """Remembers the branches that were left, and when the address last returned a head of ours.

    An address can have nodes on two branches behind it, and return heads of both in turn.
    Following each head would move transactions in and out of their blocks with each poll. So a
    branch that was left is followed again only once the address no longer returns heads of the
    branch it was left for, or once the left branch is clearly longer. Blocks that were undone only
    because a head was lower continue our tip when they appear again, and are followed at once.

    Kept in memory only. Times are seconds of the caller's clock.
    """

    def __init__(self) -> None:
        self._left: dict[str, Link] = {}  # by hash
        self._shown_at = float("-inf")

    def left(self, link: Link) -> None:
        """Record a block that was undone."""
        self._left[link.hash] = link
        while len(self._left) > MAX_BLOCKS:
            del self._left[next(iter(self._left))]

    def applied(self, link: Link, now: float) -> None:
        """Record a block that was applied, possibly again."""
        self._left.pop(link.hash, None)
        self._shown_at = now

    def showed(self, head: Link, chain: KeptChain, now: float) -> None:
        """Record a head that is on our chain or continues it; ignore any other head."""
        tip = chain.tip
        if tip is not None and (chain.holds(head.ref) or head.is_child_of(tip)):
            self._shown_at = now

    def is_left(self, links: Sequence[Link], chain: KeptChain, now: float, patience: float) -> bool:
        """Return whether blocks are on a left branch while the address still returns ours.

        Args:
            links: A head, or the blocks up to it, from the lowest up.
            chain: Our chain.
            now: The time.
            patience: Seconds after its last head for which our chain counts as returned.
        """
        tip = chain.tip
        if tip is None or not links or now - self._shown_at >= patience:
            return False
        if links[-1].number > tip.number + MAX_BEHIND_BLOCKS:
            return False
        hashes = {links[0].parent, *(link.hash for link in links)}
        if hashes.isdisjoint(self._left) or self._root(links[0]) == tip.hash:
            return False
        for link in links:
            self.left(link)  # the next block of that branch names one of these as its parent
        return True

    def _root(self, link: Link) -> str:
        """Return the hash of the block from which a branch with this block leaves, if known."""
        parent = self._left.get(link.parent)
        # Compare the numbers too: the links of a faulty node can form a circle.
        while parent is not None and parent.number < link.number:
            link, parent = parent, self._left.get(parent.parent)
        return link.parent
