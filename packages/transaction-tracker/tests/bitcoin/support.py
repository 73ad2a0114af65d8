"""Helpers that wait for states."""

import asyncio
from collections.abc import Callable

from transaction_tracker import Tracked, TransactionTracker, TransactionTrackerApplication
from transaction_tracker.store import Store
from transaction_tracker.tracker import Until
from txtrack_devnode.bitcoin import BitcoinNode

PATIENCE = 50.0


async def reach(transaction: str, until: Until) -> Tracked:
    """Wait until a transaction is in a state."""
    tracked = await TransactionTracker.wait(transaction, until=until, timeout=PATIENCE)
    assert until in (tracked.state, "terminal"), tracked
    return tracked


async def eventually(condition: Callable[[], object]) -> None:
    """Poll until a condition holds that no message announces."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.002)


async def caught_up(app: TransactionTrackerApplication, node: BitcoinNode) -> None:
    """Wait until the application has applied the node's head."""
    await eventually(lambda: app.tip is not None and app.tip.hash == node.chain.head.hash)


async def history(transaction: str) -> list[str]:
    """Return the states of a transaction in order."""
    return [state for _, state in await Store.history(transaction)]
