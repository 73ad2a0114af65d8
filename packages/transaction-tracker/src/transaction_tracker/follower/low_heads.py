"""Heads below our tip: whether to believe that the chain became shorter."""

from collections.abc import Callable

from transaction_tracker.domain import KeptChain, Link
from transaction_tracker.follower.status import FollowerStatus
from transaction_tracker.follower.verdict import limit_seconds
from transaction_tracker.sources import ChainSource
from transaction_tracker.store import Store

# A head below our tip usually is the response of a node that lags behind another node of the same
# address. It is believed only if it stays: for this many polls, and for this many block times if
# it only lacks our last blocks and has no other blocks at their heights.
_GRACE_POLLS = 3
GRACE_BLOCKS = 2


class LowHeads:
    """Heads of the source, one after another, that are below our tip.

    Args:
        source: The source.
        status: Records why the chain does not move.
        block_time: Returns the seconds between blocks, which can change.
    """

    def __init__(
        self, source: ChainSource, status: FollowerStatus, block_time: Callable[[], float]
    ) -> None:
        self._source = source
        self._status = status
        self._block_time = block_time
        self._count = 0
        self._since = 0.0

    def end(self) -> None:
        """Note a head that is not below our tip."""
        if self._count:
            self._count = 0
            self._status.resumed()

    async def is_ignored(self, head: Link, chain: KeptChain) -> bool:
        """Return whether to keep our blocks although the source's head is below our tip.

        A node that lags reports our own chain without its last blocks. If that lasts, the chain can
        have become shorter, and blocks in which no transaction has ended are undone. The others
        are undone only if another block takes their place: otherwise a node that lags far behind
        would cause finality violations, which freeze all deliveries.
        """
        now, tip, bottom = self._status.now(), chain.tip, chain.bottom
        if not self._count:
            self._since = now
        self._count += 1
        if tip is None or self._count < _GRACE_POLLS:
            return True
        if bottom is None or head.number < bottom.number:
            # No kept block can be compared with this head, so it proves nothing about our blocks.
            self._halt(head, tip, "it is below all kept blocks")
            return True
        if not chain.holds(head.ref):
            return False
        if now - self._since < GRACE_BLOCKS * self._block_time():
            return True
        if await self._source.is_contested(tip.ref):
            return True  # other providers have our last block, so this node lags
        final = await _lowest_final_above(head, chain, self._source.name)
        if final is not None:
            self._halt(head, tip, f"a transaction has ended in block {final}")
        return final is not None

    def _halt(self, head: Link, tip: Link, why: str) -> None:
        reason = (
            f"the source's head is block {head.number} ({head.hash}), below our last block "
            f"{tip.number} ({tip.hash}), and {why}: the node lags far behind, or the chain has "
            "become shorter; nothing is taken back"
        )
        # Within the limit, it can be a node that catches up.
        if self._status.now() - self._since < limit_seconds(self._block_time()):
            self._status.failed(reason)
        else:
            self._status.halted(reason)


async def _lowest_final_above(head: Link, chain: KeptChain, source: str) -> int | None:
    """Return the number of the lowest block above a head in which a transaction has ended."""
    for link in chain.links:
        if link.number > head.number and await Store.anchored(link.hash, source):
            return link.number
    return None
