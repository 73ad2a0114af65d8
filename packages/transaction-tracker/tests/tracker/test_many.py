"""Requests per block do not grow with the number of transactions tracked."""

import asyncio

import pytest

from beamish import debug, process
from transaction_tracker import Settings, TransactionTracker, TransactionTrackerApplication
from transaction_tracker.follower.process import Poll
from transaction_tracker.tracker import FOLLOWER
from txtrack_devnode import Chain, DevelopmentNode

from .support import PATIENCE, eventually, reach

IN_A_BLOCK = 20
BLOCKS = 5
# Requests are counted only if the follower polls when the test says so, not as time passes.
NEVER_BY_ITSELF = 3_600.0


async def poll() -> None:
    """Make the follower poll once, and wait until it has asked about everything."""
    process.send(FOLLOWER, Poll())
    await debug.get_state(FOLLOWER, timeout=PATIENCE)


async def mine(app: TransactionTrackerApplication, node: DevelopmentNode) -> None:
    """Mine a block, and make the follower apply it."""
    await node.mine()
    await poll()
    assert app.tip is not None
    assert app.tip.hash == node.chain.head.hash


async def requests_per_block(settings: Settings, tracked: int) -> float:
    """Track transactions, mine some of them in each block, and count the requests."""
    async with DevelopmentNode(chain=Chain(accounts=2)) as node:
        settings = settings.replace(rpc_url=node.url, poll_interval=NEVER_BY_ITSELF)
        async with TransactionTrackerApplication(settings) as app:
            chain = node.chain
            hashes = [chain.submit(*chain.accounts, 1).hash for _ in range(tracked)]
            await asyncio.gather(*(TransactionTracker.start(key) for key in hashes))
            await asyncio.gather(*(reach(key, "pending") for key in hashes))
            chain.gas_limit = IN_A_BLOCK * 21_000
            await mine(app, node)
            before = node.http_requests
            for _ in range(BLOCKS):
                await mine(app, node)
            requests = node.http_requests - before
            mined = [await TransactionTracker.status(key) for key in hashes[:IN_A_BLOCK]]
            assert {transaction.state for transaction in mined} == {"confirmed"}
    return requests / BLOCKS


@pytest.mark.parametrize("tracked", [200, 500, pytest.param(2_000, marks=pytest.mark.full)])
async def test_requests_per_block_do_not_depend_on_the_number_tracked(
    settings: Settings, tracked: int
) -> None:
    # The head with its block, one batch of receipts, and at most one batch of the sweep.
    assert 2 <= await requests_per_block(settings, tracked) <= 3


async def test_block_without_hits_costs_one_request(
    settings: Settings, node: DevelopmentNode
) -> None:
    settings = settings.replace(poll_interval=NEVER_BY_ITSELF)
    async with TransactionTrackerApplication(settings) as app:
        await poll()
        before = node.http_requests

        await mine(app, node)

        assert node.http_requests - before == 1


@pytest.mark.slow
@pytest.mark.parametrize("count", [300, pytest.param(2_000, marks=pytest.mark.full)])
async def test_many_mined_in_one_block_are_confirmed(settings: Settings, count: int) -> None:
    async with DevelopmentNode(chain=Chain(accounts=2)) as node:
        settings = settings.replace(rpc_url=node.url)
        async with TransactionTrackerApplication(settings) as app:
            chain = node.chain
            hashes = [chain.submit(*chain.accounts, 1).hash for _ in range(count)]
            await asyncio.gather(*(TransactionTracker.start(key) for key in hashes))

            chain.mine(3)
            await eventually(lambda: app.open == 0)

            states = {(await TransactionTracker.status(key)).state for key in hashes}
            assert states == {"confirmed"}
