"""How long an end waits for providers whose heads are below its block: values, no clock."""


class Laggards:
    """Providers whose heads were below the blocks of ends.

    Blocks that only one provider has yet can be made up, and until the others have blocks of those
    heights nobody can contradict them. So an end waits for them, but not for longer than it takes
    to have some blocks: one that is stuck, or far behind, must not hold all ends back.
    """

    def __init__(self) -> None:
        self._ends: dict[str, float] = {}
        self._heads: dict[str, tuple[int, float]] = {}

    def is_waited_for(self, name: str, head: int, key: str, now: float, limit: float) -> bool:
        """Return whether an end waits for a provider.

        Args:
            name: The provider.
            head: The height of its head, below the end's block.
            key: The transaction.
            now: Seconds of the caller's clock.
            limit: Seconds for which an end waits, and for which a head is not stuck.
        """
        since = self._ends.setdefault(key, now)
        last, seen_at = self._heads.get(name, (head, now))
        if last != head:
            seen_at = now
        self._heads[name] = (head, seen_at)
        return now - since < limit and now - seen_at < limit

    def forget(self, key: str) -> None:
        """Forget a transaction: it has ended, or is untracked."""
        self._ends.pop(key, None)
