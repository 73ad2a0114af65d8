"""Whether blocks can be taken back whose loss changes what was told, or stops all deliveries."""

from transaction_tracker.domain import BlockRef, Chain, Link
from transaction_tracker.sources.ethereum.links import numbered
from transaction_tracker.sources.ethereum.rpc import Rpc

# So many providers must hold another block, where so many are configured.
QUORUM = 2

_WAY_OUT = (
    "with several providers two must hold another block; if the other ones are gone for good or "
    "wrong, pause them: txtrack provider pause NAME"
)


async def objection_to_undo(rpc: Rpc, chain: Chain, block: BlockRef) -> str | None:
    """Return why a block of our chain cannot be taken back now; ``None`` if it can be.

    More providers must hold another block than hold ours, and at least two. One is enough where it
    is the only one that no operator has paused: being down does not withdraw a provider's vote.

    Args:
        rpc: Asks the nodes.
        chain: Our chain.
        block: A block of it.
    """
    request = numbered(block.number)
    if not rpc.is_compared:
        # One address can be several nodes, and our block come from another one than the head.
        (link,) = (await rpc.everywhere([request]))[0]
        same = isinstance(link, Link) and link.ref == block
        return f"the same provider still has our block ({block.hash}) there" if same else None
    found = await rpc.dissent(chain, {block}, [request])
    others = found.against.get(block, ())
    ours = [
        name
        for name, (link,) in found.answers.items()
        if name not in others and isinstance(link, Link) and link.ref == block
    ]
    if ours and len(ours) >= len(others):
        return f"{', '.join(ours)} still has our block ({block.hash}) there; {_WAY_OUT}"
    if len(others) < min(QUORUM, found.voters):
        said = ", ".join(others) or "no provider"
        return f"{said} alone is known to hold another block there; {_WAY_OUT}"
    return None
