"""Blocks far below the kept ones that one provider alone says to be on our chain."""

from dataclasses import dataclass

from transaction_tracker.domain import BlockRef, Policy, Sighting
from transaction_tracker.sources import Contained

# So many answers must say the same.
MIN_ANSWERS = 3
MAX_BLOCKS = 10_000


@dataclass(slots=True)
class _Entry:
    since: Sighting
    answers: int = 0


class RepeatedBlocks:
    """Believes what one provider says of a block once it has said so for long.

    One answer can come from a node on another branch behind the provider's address. So the same
    answer must come several times, over as many blocks and seconds as a missing transaction must be
    missing for before it is dropped.

    Kept in memory only: a restart starts these again.

    Args:
        policy: For how many blocks and seconds.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._entries: dict[BlockRef, _Entry] = {}

    def believed(self, found: Contained, now: Sighting) -> frozenset[BlockRef]:
        """Return the blocks that are on our chain.

        Args:
            found: What the providers say now.
            now: Our height, and Unix seconds.
        """
        for block in found.denied:
            self._entries.pop(block, None)
        lasting = {block for block in found.unconfirmed if self._has_lasted(block, now)}
        return found.proven | lasting

    def clear(self) -> None:
        """Forget everything: our chain has become another one."""
        self._entries.clear()

    def _has_lasted(self, block: BlockRef, now: Sighting) -> bool:
        entry = self._entries.setdefault(block, _Entry(now))
        entry.answers += 1
        while len(self._entries) > MAX_BLOCKS:
            del self._entries[next(iter(self._entries))]
        return (
            entry.answers >= MIN_ANSWERS
            and now.height - entry.since.height >= self._policy.drop_blocks
            and now.time - entry.since.time >= self._policy.drop_seconds
        )
