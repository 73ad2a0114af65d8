"""Stores, outboxes and receivers for tests of deliveries."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from beamish import GenServer, Supervisor
from transaction_tracker.delivery import OUTBOX, DeliveryContext, Outbox, schedule, wake, worker
from transaction_tracker.delivery.listener import EventListener
from transaction_tracker.net import AllowList, CheckedClient
from transaction_tracker.store import STORE, OpenTransactions, Store, Stored

from .receiver import Receiver
from .support import SOURCE


@pytest.fixture
async def store() -> AsyncIterator[None]:
    """A store that wakes the outbox, as the application's does."""
    async with storing(":memory:"):
        yield


@asynccontextmanager
async def storing(url: str) -> AsyncIterator[None]:
    pid = await Store.start(url, OpenTransactions(), wake_all, name=STORE)
    await Store.claim(SOURCE)
    yield
    if GenServer.whereis(pid):
        await GenServer.stop(pid)


async def wake_all(_: Stored) -> None:
    wake()
    EventListener.wake()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[CheckedClient]:
    client = CheckedClient(AllowList.of(["127.0.0.1"]))
    yield client
    await client.close()


@pytest.fixture
async def outbox(store: None, client: CheckedClient) -> AsyncIterator[DeliveryContext]:
    async with running(client) as context:
        yield context


@asynccontextmanager
async def running(client: CheckedClient, **options: Any) -> AsyncIterator[DeliveryContext]:
    """Run an outbox on the running store."""
    context = DeliveryContext(client, **options)
    async with Supervisor.running([Outbox.child_spec(context, name=OUTBOX)]):
        yield context


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten retries to milliseconds."""
    monkeypatch.setattr(schedule, "DELAYS", (0.01,) * 7)
    monkeypatch.setattr(worker, "_MIN_SLEEP_SECONDS", 0.005)
