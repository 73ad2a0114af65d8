"""A Bitcoin node, and an application that follows it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from transaction_tracker import Settings, TransactionTrackerApplication
from txtrack_devnode.bitcoin import BitcoinNode


@pytest.fixture
async def node() -> AsyncIterator[BitcoinNode]:
    async with BitcoinNode() as running:
        yield running


@pytest.fixture
def settings(node: BitcoinNode, tmp_path: Path) -> Settings:
    return Settings(
        node.url,
        type="bitcoin",
        confirmations=3,
        database=tmp_path / "test.db",
        poll_interval=0.01,
        block_time=0.02,
        drop_after_blocks=2,
        drop_after_seconds=0.0,
    )


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[TransactionTrackerApplication]:
    async with TransactionTrackerApplication(settings) as running:
        yield running
