"""Whether blocks can be undone if that changes reported states, or stops all deliveries."""

from collections.abc import Callable

from transaction_tracker.domain import BlockRef, KeptChain, Link
from transaction_tracker.sources.ethereum.links import numbered
from transaction_tracker.sources.ethereum.rpc import Request, Rpc

# Number of providers that must hold another block, if so many are configured.
QUORUM = 2

_WAY_OUT = (
    "with several providers two must hold another block; if the other ones are gone for good or "
    "wrong, pause them: txtrack provider pause NAME"
)


async def objection_to_undo(
    rpc: Rpc,
    chain: KeptChain,
    block: BlockRef,
    at: Callable[[int], Request] = numbered,
) -> str | None:
    """Return why a block of our chain cannot be undone now; ``None`` if it can be.

    More providers must hold another block than hold ours, and at least two. One provider is enough
    if operators have paused all others. A provider that is down still counts as a voter.

    Args:
        rpc: Client of the nodes.
        chain: Our chain.
        block: Block of our chain.
        at: Returns the request for the link of the canonical block at a height.
    """
    request = at(block.number)
    if not rpc.is_compared:
        # An address can have several nodes behind it: our block can be from another node than the
        # head.
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
