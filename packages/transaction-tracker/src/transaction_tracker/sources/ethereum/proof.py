"""Proof that nodes are on the chain that a database belongs to."""

import logging
from dataclasses import dataclass

from transaction_tracker.domain import MARGIN, BlockRef
from transaction_tracker.sources.errors import ApplicationError, SourceError, WrongChainError
from transaction_tracker.sources.ethereum.rpc import ChainId, Identity, Request, Rpc

logger: logging.Logger = logging.getLogger("transaction_tracker")

_WAY_OUT = "use another database, or the node of the chain that this database belongs to"


@dataclass(frozen=True, slots=True)
class ChainRecord:
    """Facts that a database holds about its chain.

    Attributes:
        anchor: Block that proves the chain's identity; ``None`` before the first start, and in
            databases of versions that did not store it.
        kept: Kept blocks, the lowest first.
        source: Name of the source that the database belongs to; ``None`` before the first start.
    """

    anchor: BlockRef | None = None
    kept: tuple[BlockRef, ...] = ()
    source: str | None = None


async def is_proven(rpc: Rpc, found: Identity, known: ChainRecord) -> bool:
    """Compare the nodes' chain with the database's.

    Args:
        rpc: Client of the nodes.
        found: Identity of the nodes' chain, with the anchor at the height of ``known.anchor`` if
            there is one.
        known: Facts that the database holds.

    Returns:
        Whether the chain is proven to be the same, or the database holds no facts yet. ``False``
        is logged as a warning.

    Raises:
        WrongChainError: The nodes are on another chain.
        SourceError: No node gave a usable response.
    """
    ours, there = known.anchor, found.anchor
    if ours is not None and there is not None and ours.number == there.number:
        if ours != there:
            raise _wrong(rpc, found.chain_id, there, ours)
        return True
    if not known.kept:
        return known.anchor is None or _unproven(rpc, "the database keeps no blocks")
    if known.anchor is None and await _agrees_at_the_bottom(rpc, found.chain_id, known.kept):
        return True
    for block in (known.kept[-1], known.kept[0]):
        if await _has(rpc, block):
            return True
    return _unproven(rpc, f"no node has block {known.kept[-1].number} ({known.kept[-1].hash})")


async def _agrees_at_the_bottom(rpc: Rpc, chain_id: ChainId, kept: tuple[BlockRef, ...]) -> bool:
    lowest, tip = kept[0], kept[-1]
    request = Request("eth_getBlockByNumber", (hex(lowest.number), False))
    (block,) = await rpc.batch([request])
    if not isinstance(block, dict) or not isinstance(block.get("hash"), str):
        return False
    there = BlockRef(lowest.number, block["hash"].lower())
    # Blocks near the tip can be reorganised while the program is down. Block 0 cannot be, and
    # neither can blocks at least ``MARGIN`` below the tip.
    is_settled = lowest.number == 0 or tip.number - lowest.number >= MARGIN
    if there != lowest and is_settled:
        raise _wrong(rpc, chain_id, there, lowest)
    return there == lowest


async def _has(rpc: Rpc, block: BlockRef) -> bool:
    try:
        answer = await rpc.seek("eth_getBlockByHash", block.hash, False)
    except ApplicationError:  # "pruned history unavailable"
        return False
    return isinstance(answer, dict) and str(answer.get("hash")).lower() == block.hash


def _wrong(rpc: Rpc, chain_id: ChainId, there: BlockRef, ours: BlockRef) -> SourceError:
    return WrongChainError(
        f"{rpc} is on another chain with the chain id {chain_id}: its block {there.number} is "
        f"{there.hash}, expected {ours.hash}; {_WAY_OUT}"
    )


def _unproven(rpc: Rpc, why: str) -> bool:
    logger.warning(
        "could not prove that %s is on the chain that the database belongs to: %s, and no node has "
        "the block by which the chain is known; following stops if the blocks do not link",
        rpc,
        why,
    )
    return False
