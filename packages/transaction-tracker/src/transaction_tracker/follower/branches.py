"""Branches that were left: an address with nodes on two branches shows both of them in turn."""

from collections.abc import Sequence

from transaction_tracker.domain import Chain, Link

# More than any reorganisation that is not final takes back.
MAX_BLOCKS = 256
# So many blocks above our last one prove that the other branch is the one that grows.
MAX_BEHIND_BLOCKS = 2


class Branches:
    """Remembers the branches that were left, and when the followed one was last shown.

    An address can have nodes on two branches behind it, and shows now the one and now the other.
    Following each would take transactions in and out of their blocks with each look. So a branch
    that was left is followed again only once the address does not show the one it was left for
    any more, or the left one is clearly longer.

    Kept in memory only. Times are seconds of the caller's clock.
    """

    def __init__(self) -> None:
        self._left: dict[str, None] = {}
        self._shown_at = float("-inf")

    def left(self, link: Link) -> None:
        """Note a block that was taken back."""
        self._left[link.hash] = None
        while len(self._left) > MAX_BLOCKS:
            del self._left[next(iter(self._left))]

    def applied(self, link: Link, now: float) -> None:
        """Note a block that was applied, perhaps again."""
        self._left.pop(link.hash, None)
        self._shown_at = now

    def showed(self, head: Link, chain: Chain, now: float) -> None:
        """Note a head, if it is on our chain or continues it."""
        tip = chain.tip
        if tip is not None and (chain.holds(head.ref) or head.is_child_of(tip)):
            self._shown_at = now

    def is_left(self, links: Sequence[Link], chain: Chain, now: float, patience: float) -> bool:
        """Return whether blocks are on a branch that was left for one that is still shown.

        Args:
            links: A head, or the way to it from the lowest block up.
            chain: Our chain.
            now: The time.
            patience: Seconds for which our chain counts as shown.
        """
        tip = chain.tip
        if tip is None or not links or now - self._shown_at >= patience:
            return False
        if links[-1].number > tip.number + MAX_BEHIND_BLOCKS:
            return False
        hashes = {links[0].parent, *(link.hash for link in links)}
        if hashes.isdisjoint(self._left):
            return False
        for link in links:
            self.left(link)  # the next block of that branch names one of these as its parent
        return True
