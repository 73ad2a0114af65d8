"""The removal of old transactions while the service runs."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from beamish import GenServer, process
from transaction_tracker import (
    NotTrackedError,
    Settings,
    TransactionTracker,
    TransactionTrackerApplication,
)
from transaction_tracker.service.retention import PAUSE_SECONDS, RETENTION, Retention
from transaction_tracker.settings import ConfigurationError, Flags, load
from transaction_tracker.store import STORE, OpenTransactions, Step, Store
from transaction_tracker.store.pruning import LIMIT
from txtrack_devnode import GWEI, Chain, DevelopmentNode

from ..databases import SOURCE, ignore  # noqa: TID252 - for all tests of the package
from ..store.support import confirmed, mined, tracked, wanted  # noqa: TID252 - as the store's


@pytest.fixture
async def node() -> AsyncIterator[DevelopmentNode]:
    async with DevelopmentNode(chain=Chain(accounts=4), block_time=0.1) as running:
        yield running


@pytest.fixture
async def service(node: DevelopmentNode) -> AsyncIterator[None]:
    """An application that keeps all transactions."""
    settings = Settings(node.url, confirmations=2, database=":memory:", poll_interval=0.02)
    async with TransactionTrackerApplication(settings):
        yield


@asynccontextmanager
async def retention(older_than: float, *, pause: float = PAUSE_SECONDS) -> AsyncIterator[None]:
    """Remove ended transactions while the block runs."""
    pid = await Retention.start(older_than, pause=pause)
    try:
        yield
    finally:
        await GenServer.stop(pid, "kill")


@pytest.mark.usefixtures("service")
async def test_only_ended_transactions_are_removed(node: DevelopmentNode) -> None:
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
async def test_transaction_that_ends_later_is_removed(node: DevelopmentNode) -> None:
    first, *_, last = node.chain.accounts
    async with retention(0.0, pause=0.01), asyncio.timeout(50):
        for _ in range(2):
            done = node.chain.submit(first, last, 1).hash
            await TransactionTracker.start(done)
            with pytest.raises(NotTrackedError):
                while True:
                    await TransactionTracker.status(done)
                    await asyncio.sleep(0.01)


async def test_one_round_removes_all_ended_transactions() -> None:
    """In parts, between which blocks are stored."""
    keys = [f"tx{number}" for number in range(LIMIT + 1)]
    pid = await Store.start(":memory:", OpenTransactions(), ignore, name=STORE)
    await Store.claim(SOURCE)
    await Store.register(wanted(*keys))
    starts = [mined(tracked(key)) for key in keys]
    ends = [confirmed(event.tracked) for event in starts]
    await Store.commit(Step(SOURCE, (*starts, *ends)))

    async with retention(-60.0), asyncio.timeout(50):
        while await Store.fetch(keys[-1]) or await Store.fetch(keys[0]):
            await asyncio.sleep(0.01)

    await GenServer.stop(pid)


@pytest.mark.usefixtures("service")
async def test_nothing_is_removed_by_default(node: DevelopmentNode) -> None:
    first, *_, last = node.chain.accounts
    done = node.chain.submit(first, last, 1).hash
    await TransactionTracker.start(done)

    await TransactionTracker.wait(done, timeout=50)

    assert (await TransactionTracker.status(done)).state == "confirmed"
    assert process.whereis(RETENTION) is None


async def test_failed_round_is_logged_and_retried(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "transaction_tracker"):
        async with retention(0.0, pause=0.001), asyncio.timeout(50):
            while len(caplog.records) < 2:
                await asyncio.sleep(0.001)

    assert caplog.records[0].message.startswith("pruning failed: ")


def test_retention_is_at_least_an_hour() -> None:
    flags = Flags({("retention", "ended"): ("5m", "--set")})

    with pytest.raises(ConfigurationError, match=r"retention\.ended must be 1h or more") as caught:
        load(flags=flags)

    assert "(flag --set)" in str(caught.value)
