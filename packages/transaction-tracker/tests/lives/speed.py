"""How fast the application applies many new blocks, with healthy nodes."""

import asyncio
from typing import TYPE_CHECKING

from beamish import process
from transaction_tracker.providers import HeadHint
from transaction_tracker.tracker import FOLLOWER

if TYPE_CHECKING:
    from .life import Life

# A response takes 0.1 s on average: block after block, 120 blocks would take 12 s.
BLOCKS, MAX_SECONDS, MAX_REQUESTS_PER_BLOCK = 120, 6.0, 4
_HARMLESS = {"fast", "providers", "details", "system", "authorizations", "nonceless"}


async def check(life: "Life") -> None:
    """Mine many blocks in a world with ``fast``; fail if they are not applied in time."""
    if "fast" not in life.world.has or not life.world.has <= _HARMLESS:
        return
    loop = asyncio.get_running_loop()
    before, started = _requests(life), loop.time()
    head = life.chain.mine(BLOCKS)[-1]
    process.send(FOLLOWER, HeadHint("one", head.number, head.hash))
    while life.app.tip is None or life.app.tip.hash != head.hash:
        taken = loop.time() - started
        assert taken < MAX_SECONDS, f"{BLOCKS} blocks take more than {taken:.1f} s"
        await asyncio.sleep(0.1)
    sent = _requests(life) - before
    assert sent <= MAX_REQUESTS_PER_BLOCK * BLOCKS, f"{sent} requests for {BLOCKS} blocks"


def _requests(life: "Life") -> int:
    return sum(node.requests for node in life.nodes)
