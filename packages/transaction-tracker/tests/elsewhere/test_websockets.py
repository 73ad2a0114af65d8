"""Connections that told of heads, broke, and took the events of a while with them, or hung."""

import asyncio

from beamish import Backoff
from transaction_tracker import TransactionTracker
from transaction_tracker.providers.subscription import SubscriptionTimeouts
from txtrack_devnode import Transaction
from txtrack_devnode.faults import Hang, SilentHeads

from ..clock import Clock  # noqa: TID252 - for all tests of the package
from .support import DEADLINE_SECONDS, Network, applied, eventually, reach

HOUR = 3600.0
# A node is asked for its head once an hour: only what a connection tells moves anything.
HINTS_ONLY = {"poll_interval": HOUR}
PING_SECONDS = 100.0


def rhythm(*, block_time: float = HOUR) -> SubscriptionTimeouts:
    backoff = Backoff(initial=0.02, maximum=0.02, jitter=0.0)
    return SubscriptionTimeouts(
        block_time=block_time,
        ping=PING_SECONDS,
        connect=DEADLINE_SECONDS,
        close=0.1,
        backoff=backoff,
    )


async def pending(network: Network, count: int) -> list[Transaction]:
    txs = [network.submit(sender) for sender in range(count)]
    for tx in txs:
        await TransactionTracker.start(tx.hash)
        await reach(tx.hash, "pending")
    return txs


async def test_a_websocket_reconnect_loses_events_or_hangs(network: Network) -> None:
    """web3.js#3491, web3.py#3375: what came while there was no connection never came.

    The first head after the break is only a hint to look; the walk finds what lies below it.
    """
    async with network.followed(rhythm=rhythm(), **HINTS_ONLY) as app:
        assert app.pool is not None
        told = app.pool.status
        await eventually(lambda: all(one.heads for one in told()))
        before, within, after = await pending(network, 3)
        network.chain.drop(within.hash)
        network.chain.drop(after.hash)
        with applied() as heights:
            await network.first.mine()
            await reach(before.hash, "mined")

            for node in (network.first, network.second):
                await node.die()
            await eventually(lambda: not any(one.heads for one in told()))
            network.chain.add(within)
            network.chain.mine(5)
            for node in (network.first, network.second):
                await node.revive()
            await eventually(lambda: all(one.heads for one in told()))
            network.chain.add(after)
            await network.first.mine()
            await reach(after.hash, "mined")
            await reach(within.hash, "confirmed")

    assert heights == list(range(1, 8))


async def test_a_websocket_reconnect_loses_events_or_hangs_on_a_silent_socket(
    network: Network, clock: Clock
) -> None:
    """web3.py#3151: the socket was open, nothing came, and nobody noticed.

    A ping without an answer is noticed; the connection is made anew, and tells again.
    """
    async with network.followed(rhythm=rhythm(), **HINTS_ONLY) as app:
        assert app.pool is not None
        told = app.pool.status
        await eventually(lambda: all(one.heads for one in told()))
        (tx,) = await pending(network, 1)

        for node in (network.first, network.second):
            node.faults.inject(Hang())
        while any(one.heads for one in told()):
            clock.advance(PING_SECONDS)
            await asyncio.sleep(0.01)
        network.chain.mine()  # of which nobody is told
        for node in (network.first, network.second):
            node.faults.clear()
        await eventually(lambda: all(one.heads for one in told()))
        await network.first.mine(2)

        await reach(tx.hash, "confirmed")


async def test_a_websocket_reconnect_loses_events_or_hangs_where_no_heads_come(
    network: Network,
) -> None:
    """web3.py#3375: the connection lived, answered pings, and its subscription was dead.

    After three block times without a head it is made anew.
    """
    async with network.followed(rhythm=rhythm(block_time=0.05), **HINTS_ONLY):
        (tx,) = await pending(network, 1)
        silence = [node.faults.inject(SilentHeads()) for node in (network.first, network.second)]
        await network.first.mine(2)

        for node, fault in zip((network.first, network.second), silence, strict=True):
            node.faults.clear(fault)
        await network.first.mine()

        await reach(tx.hash, "confirmed")


async def test_a_websocket_reconnect_loses_events_or_hangs_and_nobody_depends_on_it(
    network: Network,
) -> None:
    """web3.js#3491: with no head told at all, the timer is the truth."""
    for node in (network.first, network.second):
        node.faults.inject(SilentHeads())
    async with network.followed(rhythm=rhythm()):
        (tx,) = await pending(network, 1)

        await network.first.mine(3)

        await reach(tx.hash, "confirmed")
