"""The application in a program of its user does all that ``txtrack serve`` does."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from transaction_tracker import (
    NotTrackedError,
    Settings,
    TransactionTracker,
    TransactionTrackerApplication,
)
from txtrack_devnode import Chain, DevelopmentNode

SECONDS = 50.0


@pytest.fixture
async def node() -> AsyncIterator[DevelopmentNode]:
    async with DevelopmentNode(chain=Chain(accounts=4), block_time=0.1) as running:
        yield running


async def confirmed(node: DevelopmentNode) -> str:
    """Return a transaction that has ended."""
    first, *_, last = node.chain.accounts
    transaction = node.chain.submit(first, last, 1).hash
    await TransactionTracker.start(transaction)
    await TransactionTracker.wait(transaction, timeout=SECONDS)
    return transaction


async def test_old_transactions_are_removed(node: DevelopmentNode, tmp_path: Path) -> None:
    settings = Settings(node.url, confirmations=2, database=tmp_path / "old.db")
    async with TransactionTrackerApplication(settings):
        transaction = await confirmed(node)

    async with (
        asyncio.timeout(SECONDS),
        TransactionTrackerApplication(settings.model_copy(update={"retention": 0.001})),
    ):
        with pytest.raises(NotTrackedError):
            while True:
                await TransactionTracker.status(transaction)
                await asyncio.sleep(0.01)


async def test_metrics_are_counted_without_the_api(node: DevelopmentNode) -> None:
    settings = Settings(node.url, confirmations=2, database=":memory:", metrics=True)
    application = TransactionTrackerApplication(settings)
    async with application:
        await confirmed(node)
        page = (await application.metrics_page()).decode()

    assert 'transaction_tracker_tracked{state="confirmed"} 1.0' in page
    assert 'transaction_tracker_transitions_total{from="mined",to="confirmed"} 1.0' in page


async def test_systemd_is_notified_of_start_life_and_stop(
    node: DevelopmentNode, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    address = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    monkeypatch.setenv("WATCHDOG_USEC", "20000")
    settings = Settings(node.url, database=":memory:", notify_systemd=True)
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        manager.setblocking(False)
        async with asyncio.timeout(SECONDS):
            async with TransactionTrackerApplication(settings):
                received = [await loop.sock_recv(manager, 100) for _ in range(3)]
            while (last := await loop.sock_recv(manager, 100)) == b"WATCHDOG=1":
                pass

    assert received == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
    assert last == b"STOPPING=1"


async def test_systemd_is_not_notified_by_default(
    node: DevelopmentNode, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    settings = Settings(node.url, database=":memory:")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        async with TransactionTrackerApplication(settings):
            pass

        with pytest.raises(BlockingIOError):
            manager.recv(100)
