"""Removing what ended long ago, while the service runs."""

import asyncio
import logging

import pytest

from transaction_tracker import NotTrackedError, TransactionTracker
from transaction_tracker.cli.retention import retention
from transaction_tracker.node import GWEI, DevelopmentNode
from transaction_tracker.settings import ConfigurationError, Flags, load
from transaction_tracker.store import Store


@pytest.mark.usefixtures("service")
async def test_what_ended_is_removed_and_what_has_not_stays(node: DevelopmentNode) -> None:
    first, second, *_, last = node.chain.accounts
    done = node.chain.submit(first, last, 1).hash
    fee = GWEI - GWEI // 20
    waiting = node.chain.submit(second, last, 1, max_fee=fee, priority_fee=0).hash
    await TransactionTracker.start(done)
    await TransactionTracker.start(waiting)
    await TransactionTracker.wait(done, timeout=50)

    async with retention(0.0, pause=0.01), asyncio.timeout(50):
        with pytest.raises(NotTrackedError):
            while True:
                await TransactionTracker.status(done)
                await asyncio.sleep(0.01)

    assert (await TransactionTracker.status(waiting)).state in ("registered", "pending")


@pytest.mark.usefixtures("service")
async def test_nothing_is_removed_unless_asked_for(node: DevelopmentNode) -> None:
    first, *_, last = node.chain.accounts
    done = node.chain.submit(first, last, 1).hash
    await TransactionTracker.start(done)
    await TransactionTracker.wait(done, timeout=50)

    async with retention(None, pause=0.0):
        await Store.fetch(done)

    assert (await TransactionTracker.status(done)).state == "confirmed"


async def test_store_that_is_away_is_told_and_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "transaction_tracker"):
        async with retention(0.0, pause=0.001), asyncio.timeout(50):
            while len(caplog.records) < 2:
                await asyncio.sleep(0.001)

    assert caplog.records[0].message.startswith("nothing was pruned: ")


def test_retention_is_an_hour_at_least() -> None:
    flags = Flags({("retention", "ended"): ("5m", "--set")})

    with pytest.raises(ConfigurationError, match=r"retention\.ended must be 1h or more") as caught:
        load(flags=flags)

    assert "(flag --set)" in str(caught.value)
