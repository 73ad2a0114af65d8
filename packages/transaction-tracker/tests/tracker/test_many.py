"""Requests per block do not grow with the number of transactions tracked."""

import asyncio
from dataclasses import replace

import pytest

from transaction_tracker import Settings, TransactionTracker, TransactionTrackerApplication
from txtrack_devnode import Chain, DevelopmentNode

from .support import caught_up, eventually, reach

IN_A_BLOCK = 20


BLOCKS = 5


async def requests_per_block(settings: Settings, tracked: int) -> float:
    """Track so many transactions, mine some of them in each block, and count requests."""
    async with DevelopmentNode(chain=Chain(accounts=2)) as node:
        # One question for the head for each block: what is counted is what a block costs.
        settings = replace(settings, rpc_url=node.url, poll_interval=0.2)
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
            assert {one.state for one in mined} == {"confirmed"}
    return requests / BLOCKS


@pytest.mark.parametrize("tracked", [200, 2_000])
async def test_a_block_costs_the_same_few_requests_whatever_is_tracked(
    settings: Settings, tracked: int
) -> None:
    # The head with the block, one batch of receipts; and a batch for those not heard of for long.
    assert 2 <= await requests_per_block(settings, tracked) <= 4.2


async def test_a_block_without_hits_costs_one_request(
    settings: Settings, node: DevelopmentNode
) -> None:
    settings = replace(settings, poll_interval=0.1)
    async with TransactionTrackerApplication(settings) as app:
        await eventually(lambda: app.tip is not None)
        before = node.http_requests

        await node.mine()
        await caught_up(app, node)

        assert node.http_requests - before == 1


@pytest.mark.slow
async def test_thousands_that_are_mined_in_one_block(settings: Settings) -> None:
    async with DevelopmentNode(chain=Chain(accounts=2)) as node:
        settings = replace(settings, rpc_url=node.url)
        async with TransactionTrackerApplication(settings) as app:
            chain = node.chain
            hashes = [chain.submit(*chain.accounts, 1).hash for _ in range(5_000)]
            await asyncio.gather(*(TransactionTracker.start(key) for key in hashes))

            chain.mine(3)
            await eventually(lambda: app.open == 0)

            states = {(await TransactionTracker.status(key)).state for key in hashes}
            assert states == {"confirmed"}
