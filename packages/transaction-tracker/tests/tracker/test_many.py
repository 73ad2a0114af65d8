"""Requests per block do not grow with the number of transactions tracked."""

import asyncio

import pytest

from transaction_tracker import Settings, TransactionTracker, TransactionTrackerApplication
from txtrack_devnode import Chain, DevelopmentNode

from .support import caught_up, eventually, reach

IN_A_BLOCK = 20


BLOCKS = 5


async def requests_per_block(settings: Settings, tracked: int) -> float:
    """Track transactions, mine some of them in each block, and count the requests."""
    async with DevelopmentNode(chain=Chain(accounts=2)) as node:
        # One poll for the head per block, so that only requests about blocks are counted.
        settings = settings.replace(rpc_url=node.url, poll_interval=0.2)
        async with TransactionTrackerApplication(settings) as app:
            chain = node.chain
            hashes = [chain.submit(*chain.accounts, 1).hash for _ in range(tracked)]
            await asyncio.gather(*(TransactionTracker.start(key) for key in hashes))
            await asyncio.gather(*(reach(key, "pending") for key in hashes))
            chain.gas_limit = IN_A_BLOCK * 21_000
            await node.mine()
            await caught_up(app, node)
            before = node.http_requests
            for _ in range(BLOCKS):
                await node.mine()
                await caught_up(app, node)
            requests = node.http_requests - before
            mined = [await TransactionTracker.status(key) for key in hashes[:IN_A_BLOCK]]
            assert {transaction.state for transaction in mined} == {"confirmed"}
    return requests / BLOCKS


@pytest.mark.parametrize("tracked", [200, 2_000])
async def test_requests_per_block_do_not_depend_on_the_number_tracked(
    settings: Settings, tracked: int
) -> None:
    # The head with its block, one batch of receipts, and one batch of the sweep.
    assert 2 <= await requests_per_block(settings, tracked) <= 4.2


async def test_block_without_hits_costs_one_request(
    settings: Settings, node: DevelopmentNode
) -> None:
    settings = settings.replace(poll_interval=0.1)
    async with TransactionTrackerApplication(settings) as app:
        await eventually(lambda: app.tip is not None)
        before = node.http_requests

        await node.mine()
        await caught_up(app, node)

        assert node.http_requests - before == 1


@pytest.mark.slow
async def test_thousands_mined_in_one_block_are_confirmed(settings: Settings) -> None:
    async with DevelopmentNode(chain=Chain(accounts=2)) as node:
        settings = settings.replace(rpc_url=node.url)
        async with TransactionTrackerApplication(settings) as app:
            chain = node.chain
            hashes = [chain.submit(*chain.accounts, 1).hash for _ in range(5_000)]
            await asyncio.gather(*(TransactionTracker.start(key) for key in hashes))

            chain.mine(3)
            await eventually(lambda: app.open == 0)

            states = {(await TransactionTracker.status(key)).state for key in hashes}
            assert states == {"confirmed"}
