"""Nodes, and a pool that asks them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from beamish.testing import StartSupervised
from transaction_tracker.providers import Pool, ProviderSettings

from .support import Node, serving

MakePool = Callable[..., Awaitable[Pool]]


@pytest.fixture
async def nodes() -> AsyncIterator[list[Node]]:
    """Three nodes in good order, on one chain."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(serving(Node())) for _ in range(3)]


@pytest.fixture
def make_pool(start_supervised: StartSupervised) -> MakePool:
    """A function that starts a pool over nodes; its options are those of both."""

    async def make(*nodes: Node, deadline: float = 30.0, **options: Any) -> Pool:
        settings = [ProviderSettings(node.url, deadline=deadline) for node in nodes]
        pool = Pool(settings, **{"look_interval": 3_600.0} | options)
        await start_supervised(pool.child_spec())
        return pool

    return make
