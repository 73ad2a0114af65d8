"""Databases, applications' parts and receivers for deliveries."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from beamish import GenServer, Supervisor
from transaction_tracker.listener import EventListener
from transaction_tracker.net import AllowList, CheckedClient
from transaction_tracker.outbox import OUTBOX, Context, Outbox, courier, schedule, wake
from transaction_tracker.store import STORE, Book, Store, Stored

from .receiver import Receiver
from .support import SOURCE


@pytest.fixture
async def store() -> AsyncIterator[None]:
    """A store that wakes the outbox, as the application's does."""
    async with storing(":memory:"):
        yield


@asynccontextmanager
async def storing(url: str) -> AsyncIterator[None]:
    pid = await Store.start(url, Book(), wake_all, name=STORE)
    await Store.claim(SOURCE)
    yield
    if GenServer.whereis(pid):
        await GenServer.stop(pid)


def wake_all(_: Stored) -> None:
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
async def outbox(store: None, client: CheckedClient) -> AsyncIterator[Context]:
    async with running(client) as context:
        yield context


@asynccontextmanager
async def running(client: CheckedClient, **limits: int) -> AsyncIterator[Context]:
    """Run an outbox on the store that is there."""
    context = Context(client, **limits)
    async with Supervisor.running([Outbox.child_spec(context, name=OUTBOX)]):
        yield context


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries in milliseconds."""
    monkeypatch.setattr(schedule, "DELAYS", (0.01,) * 7)
    monkeypatch.setattr(courier, "_MIN_SLEEP_SECONDS", 0.005)
