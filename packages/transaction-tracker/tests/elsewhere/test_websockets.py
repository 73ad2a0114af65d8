"""WebSocket connections that lost events when they broke, or that hung."""

import asyncio

from beamish import Backoff
from transaction_tracker import TransactionTracker
from transaction_tracker.providers.subscription import SubscriptionTimeouts
from txtrack_devnode import Transaction
from txtrack_devnode.faults import Hang, SilentHeads

from ..clock import Clock  # noqa: TID252 - for all tests of the package
from .support import DEADLINE_SECONDS, Network, applied, eventually, reach

HOUR = 3600.0
# The head is polled once an hour, so only the heads of subscriptions cause progress.
HINTS_ONLY = {"poll_interval": HOUR}
PING_SECONDS = 100.0


def timeouts(*, block_time: float = HOUR) -> SubscriptionTimeouts:
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
    """web3.js#3491, web3.py#3375: heads during a break of the connection were lost.

    Here a head is only a hint: the follower fetches all blocks up to it.
    """
    async with network.followed(timeouts=timeouts(), **HINTS_ONLY) as app:
        assert app.pool is not None
        providers = app.pool.status
        await eventually(lambda: all(provider.heads for provider in providers()))
        before, within, after = await pending(network, 3)
        network.chain.drop(within.hash)
        network.chain.drop(after.hash)
        with applied() as heights:
            await network.first.mine()
            await reach(before.hash, "mined")

            for node in (network.first, network.second):
                await node.die()
            await eventually(lambda: not any(provider.heads for provider in providers()))
            network.chain.add(within)
            network.chain.mine(5)
            for node in (network.first, network.second):
                await node.revive()
            await eventually(lambda: all(provider.heads for provider in providers()))
            network.chain.add(after)
            await network.first.mine()
            await reach(after.hash, "mined")
            await reach(within.hash, "confirmed")

    assert heights == list(range(1, 8))


async def test_a_websocket_reconnect_loses_events_or_hangs_on_a_silent_socket(
    network: Network, clock: Clock
) -> None:
    """web3.py#3151: the socket was open, but no message arrived, and this was not noticed.

    Here a ping without a response closes the connection, and another one is opened.
    """
    async with network.followed(timeouts=timeouts(), **HINTS_ONLY) as app:
        assert app.pool is not None
        providers = app.pool.status
        await eventually(lambda: all(provider.heads for provider in providers()))
        (tx,) = await pending(network, 1)

        for node in (network.first, network.second):
            node.faults.inject(Hang())
        while any(provider.heads for provider in providers()):
            clock.advance(PING_SECONDS)
            await asyncio.sleep(0.01)
        network.chain.mine()  # without a message about it
        for node in (network.first, network.second):
            node.faults.clear()
        await eventually(lambda: all(provider.heads for provider in providers()))
        await network.first.mine(2)

        await reach(tx.hash, "confirmed")


async def test_a_websocket_reconnect_loses_events_or_hangs_without_heads(
    network: Network,
) -> None:
    """web3.py#3375: the connection answered pings, but its subscription sent no heads.

    Here the connection is replaced after three block times without a head.
    """
    async with network.followed(timeouts=timeouts(block_time=0.05), **HINTS_ONLY):
        (tx,) = await pending(network, 1)
        silence = [node.faults.inject(SilentHeads()) for node in (network.first, network.second)]
        await network.first.mine(2)

        for node, fault in zip((network.first, network.second), silence, strict=True):
            node.faults.clear(fault)
        confirmed = asyncio.create_task(reach(tx.hash, "confirmed"))
        while not confirmed.done():
            # A head that comes while a connection is replaced is lost: the next one is not.
            await network.first.mine()
            await asyncio.wait([confirmed], timeout=0.2)
        await confirmed


async def test_a_websocket_reconnect_loses_events_or_hangs_without_effect_on_polls(
    network: Network,
) -> None:
    """web3.js#3491: without any head from a subscription, polls find the blocks."""
    for node in (network.first, network.second):
        node.faults.inject(SilentHeads())
    async with network.followed(timeouts=timeouts()):
        (tx,) = await pending(network, 1)

        await network.first.mine(3)

        await reach(tx.hash, "confirmed")
