"""Nodes, and a pool of providers for them."""

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
    """Three healthy nodes on one chain."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(serving(Node())) for _ in range(3)]


@pytest.fixture
def make_pool(start_supervised: StartSupervised) -> MakePool:
    """A function that starts a pool of nodes; its options are those of the pool."""

    async def make(
        *nodes: Node, deadline: float = 30.0, max_in_flight: int = 8, **options: Any
    ) -> Pool:
        settings = [
            ProviderSettings(node.url, deadline=deadline, max_in_flight=max_in_flight)
            for node in nodes
        ]
        pool = Pool(settings, **{"probe_interval": 3_600.0} | options)
        await start_supervised(pool.child_spec())
        return pool

    return make
