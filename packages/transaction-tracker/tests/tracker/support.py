"""Nodes, applications and patience."""

import asyncio
from collections.abc import Callable
from typing import Any

from transaction_tracker import Tracked, TransactionTracker, TransactionTrackerApplication
from transaction_tracker.store import Store
from transaction_tracker.tracker import Until
from txtrack_devnode import DevelopmentNode, Transaction

PATIENCE = 50.0


def submit(node: DevelopmentNode, sender: int = 0, **options: Any) -> Transaction:
    """Send a payment from one of the node's accounts to its last."""
    accounts = node.chain.accounts
    return node.chain.submit(accounts[sender], accounts[-1], 1, **options)


async def reach(transaction: str, until: Until) -> Tracked:
    """Wait until a transaction is in a state, and make sure that it is in no other."""
    tracked = await TransactionTracker.wait(transaction, until=until, timeout=PATIENCE)
    assert until in (tracked.state, "terminal"), tracked
    return tracked


async def eventually(condition: Callable[[], object]) -> None:
    """Wait for a condition that nobody sends a message about."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.002)


async def caught_up(app: TransactionTrackerApplication, node: DevelopmentNode) -> None:
    """Wait until the application has applied the node's head."""
    await eventually(lambda: app.tip is not None and app.tip.hash == node.chain.head.hash)


async def history(transaction: str) -> list[str]:
    """List the states that a transaction went through."""
    return [state for _, state in await Store.history(transaction)]
