"""A store, and a receiver of webhooks."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ..delivery.conftest import storing  # noqa: TID252 - the one way to run a store of deliveries
from ..delivery.receiver import Receiver  # noqa: TID252 - the one receiver of scripted responses
from .support import Stand, alerting


@pytest.fixture
def database(tmp_path: Path) -> str:
    return str(tmp_path / "alerts.db")


@pytest.fixture
async def store(database: str) -> AsyncIterator[None]:
    async with storing(database):
        yield


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as running:
        yield running


@pytest.fixture
async def stand(store: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stand]:
    stand = Stand()
    monkeypatch.setattr(shutil, "disk_usage", stand.disk_usage)
    async with alerting(stand) as running:
        yield running
