"""Requests that grew with the number of transactions, until the node refused them all."""

import asyncio
import time
from itertools import product

from transaction_tracker import TransactionTracker
from txtrack_devnode.faults import RateLimit

from .support import Network, caught_up, eventually, reach

MANY = 400
BLOCKS = 20


async def test_429_from_polling(network: Network) -> None:
    """web3.py#1435, Nethereum#879: each waiting transaction cost a request per poll: 8,000 here.

    Here each block costs one request, and a few waiting transactions are asked about in turn.
    """
    node = network.first
    async with network.followed() as app:
        # Because of a gap in the nonces, no block includes them.
        txs = [
            network.submit(sender, nonce=1 + number)
            for number, sender in product(range(MANY // 10), range(10))
        ]
        wanted = [TransactionTracker.registration(tx.hash) for tx in txs]
        await TransactionTracker.start_many(wanted)
        await asyncio.gather(*(reach(tx.hash, "pending") for tx in txs))
        counters, requests = node.counters.copy(), node.http_requests
        for _ in range(BLOCKS):
            await node.mine()
            await caught_up(app, node)
        asked = node.counters - counters
        # A poll of the head requests the next block too.
        other = node.http_requests - requests - asked["eth_getBlockByNumber"] // 2

    assert asked["eth_getBlockByHash"] == 0
    assert other < MANY
    assert network.second.counters["eth_getBlockByHash"] == 0


async def test_429_from_polling_is_not_repeated_before_retry_after(network: Network) -> None:
    """Nethereum#879: the refused request was repeated at once, and refused again.

    Here no request is sent before the time of ``Retry-After``.
    """
    limit = RateLimit(retry_after=1, times=1)
    async with network.followed(providers=(network.settings().providers[0],)):
        tx = network.submit()
        await TransactionTracker.start(tx.hash)
        await reach(tx.hash, "pending")
        node = network.first
        node.faults.inject(limit)
        await eventually(lambda: node.faults.counts["rate-limit"])
        refused_at, refused = time.monotonic(), node.http_requests
        network.chain.mine(3)

        await eventually(lambda: node.http_requests > refused)
        waited = time.monotonic() - refused_at
        await reach(tx.hash, "confirmed")

    assert waited > 0.9


async def test_429_from_polling_loses_nothing(network: Network) -> None:
    """web3.py#1435: a refused request ended the wait with an error.

    Here both nodes refuse their first requests of any kind, and all transactions are confirmed.
    """
    async with network.followed():
        for node in (network.first, network.second):
            node.faults.inject(RateLimit(times=4, retry_after=0))
        txs = [network.submit(sender) for sender in range(10)]
        for tx in txs:
            await TransactionTracker.start(tx.hash)
        for _ in range(6):
            await network.first.mine()

        await asyncio.gather(*(reach(tx.hash, "confirmed") for tx in txs))

    assert network.first.faults.counts["rate-limit"] == 4
