"""How long an end waits for providers whose heads are below its blocks: values, no clock."""

from transaction_tracker.domain import BlockRef
from transaction_tracker.sources.protocol import Ending

# The block that decides an end, and the one that confirms it.
_Blocks = tuple[BlockRef, BlockRef | None]


class Laggards:
    """Providers whose heads were below the blocks of ends.

    Blocks that only one provider has yet can be made up, and until the others have blocks of those
    heights nobody can contradict them. So an end waits for them, but not for longer than it takes
    to have some blocks: one that is stuck, or far behind, must not hold all ends back.
    """

    def __init__(self) -> None:
        self._ends: dict[str, tuple[_Blocks, float]] = {}
        self._heads: dict[str, tuple[int, float]] = {}

    def is_waited_for(
        self, name: str, head: int, key: str, end: Ending, now: float, limit: float
    ) -> bool:
        """Return whether an end waits for a provider.

        Args:
            name: The provider.
            head: The height of its head, below a block of the end.
            key: The transaction.
            end: Its end. The time starts again with another block, which can be made up too.
            now: Seconds of the caller's clock.
            limit: Seconds for which an end waits, and for which a head is not stuck.
        """
        blocks = end.block, end.confirmed_by
        before, since = self._ends.get(key, (blocks, now))
        since = since if before == blocks else now
        self._ends[key] = blocks, since
        last, seen_at = self._heads.get(name, (head, now))
        if last != head:
            seen_at = now
        self._heads[name] = (head, seen_at)
        return now - since < limit and now - seen_at < limit

    def forget(self, key: str) -> None:
        """Forget a transaction: it has ended, or is untracked."""
        self._ends.pop(key, None)
