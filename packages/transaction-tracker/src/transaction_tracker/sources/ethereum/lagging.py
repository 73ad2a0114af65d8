"""How long an end waits for providers whose heads are below its blocks."""

from transaction_tracker.domain import BlockRef
from transaction_tracker.sources.answers import Ending

# The block that decides an end, and the block that confirms it.
_Blocks = tuple[BlockRef, BlockRef | None]


class LaggingProviders:
    """Providers whose heads are below the blocks of ends.

    A single provider can invent blocks, and the other providers cannot contradict them before their
    heads reach these heights. So an end waits for the other providers. The wait is limited to the
    time of some blocks, because a stuck provider, or one far behind, must not hold all ends back.
    The caller passes the time.
    """

    def __init__(self) -> None:
        self._ends: dict[str, tuple[_Blocks, float]] = {}
        self._heads: dict[str, tuple[int, float]] = {}

    def is_waited_for(
        self, name: str, head: int, key: str, end: Ending, now: float, limit: float
    ) -> bool:
        """Return whether an end waits for a provider.

        Args:
            name: Name of the provider.
            head: Height of its head, below a block of the end.
            key: The transaction.
            end: Its end. The wait starts again if its blocks change, because the new blocks can be
                invented too.
            now: Seconds of the caller's clock.
            limit: Maximum wait in seconds, and the time after which an unchanged head is stuck.
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
        """Delete the state of a transaction that has ended or is untracked."""
        self._ends.pop(key, None)
