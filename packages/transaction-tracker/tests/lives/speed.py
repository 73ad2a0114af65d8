"""How fast many blocks are caught up with, where nothing is wrong with the nodes."""

import asyncio
from typing import TYPE_CHECKING

from beamish import process
from transaction_tracker.providers import HeadHint
from transaction_tracker.tracker import FOLLOWER

if TYPE_CHECKING:
    from .life import Life

# An answer takes 0.1 s on average: one block after another would take 12 s.
BLOCKS, LIMIT_SECONDS, REQUESTS_PER_BLOCK = 120, 6.0, 4
_HARMLESS = {"fast", "providers", "details", "system", "authorizations", "nonceless"}


async def check(life: "Life") -> None:
    """Mine many blocks in a fast world; fail if they are not applied soon."""
    if "fast" not in life.world.has or not life.world.has <= _HARMLESS:
        return
    loop = asyncio.get_running_loop()
    asked, began = _requests(life), loop.time()
    head = life.chain.mine(BLOCKS)[-1]
    process.send(FOLLOWER, HeadHint("one", head.number, head.hash))
    while life.app.tip is None or life.app.tip.hash != head.hash:
        taken = loop.time() - began
        assert taken < LIMIT_SECONDS, f"{BLOCKS} blocks take more than {taken:.1f} s"
        await asyncio.sleep(0.1)
    asked = _requests(life) - asked
    assert asked <= REQUESTS_PER_BLOCK * BLOCKS, f"{asked} requests for {BLOCKS} blocks"


def _requests(life: "Life") -> int:
    return sum(node.requests for node in life.nodes)
