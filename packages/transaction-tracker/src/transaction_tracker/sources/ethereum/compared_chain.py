"""What all chains behind comparable nodes have: requests, opinions about ends, and objections."""

from collections.abc import Callable, Collection, Mapping

from transaction_tracker.domain import BlockRef, KeptChain, Link, StandingObjection, Tracked
from transaction_tracker.sources.answers import Ending, Objection
from transaction_tracker.sources.ethereum.links import numbered
from transaction_tracker.sources.ethereum.objections import ProviderAgreement
from transaction_tracker.sources.ethereum.old_blocks import OldBlocks
from transaction_tracker.sources.ethereum.rpc import NodeResults, Request, Rpc


class ComparedChain:
    """The part of a ``ChainSource`` that does not depend on the kind of chain.

    A subclass sets the attributes in its constructor.
    """

    _rpc: Rpc
    _chain: KeptChain
    _agreement: ProviderAgreement
    _old_blocks: OldBlocks
    _link_request: Callable[[int], Request] = staticmethod(numbered)

    @property
    def requests(self) -> int:
        """Number of HTTP requests sent so far."""
        return self._rpc.requests

    @property
    def calls_per_request(self) -> int:
        """Maximum number of calls in one request now."""
        return self._rpc.calls_per_request

    def min_confirmations(self, tracked: Tracked) -> int:
        """Return 1: one block is enough for a transaction."""
        del tracked
        return 1

    async def is_contested(self, block: BlockRef) -> bool:
        """Return whether half of the healthy providers or more have ``block`` at its height."""
        everywhere = await self._rpc.everywhere([self._link_request(block.number)])
        links = [link for (link,) in everywhere if isinstance(link, Link)]
        holding = sum(link.ref == block for link in links)
        return holding > 0 and 2 * holding >= len(links)

    def follows(self, chain: KeptChain) -> None:
        """Set our chain, with which providers are compared."""
        self._old_blocks.follows(self._chain, chain)
        self._chain = chain
        self._rpc.follows(chain)

    async def objections(
        self, chain: KeptChain, endings: Mapping[str, Ending], opinion: object = None
    ) -> Mapping[str, Objection]:
        """Ask the healthy providers about the blocks, the outcomes and the winners of ends."""
        known = opinion if isinstance(opinion, NodeResults) else None
        return await self._agreement.objections(chain, endings, known)

    def standing_objections(self) -> Collection[StandingObjection]:
        """Return the objections that stand until their providers withdraw them."""
        return self._agreement.standing()

    def restore_objections(self, kept: Collection[StandingObjection]) -> None:
        """Restore stored objections."""
        self._agreement.restore(kept)

    def forget_objections(self, transaction: str) -> None:
        """Delete the objections to ends of a transaction."""
        self._agreement.forget(transaction)
