"""The identity of a database's chain: stored at the first start, checked at each later start."""

import logging
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from typing import Any

import pytest

from beamish import StartError
from transaction_tracker import (
    ProviderSettings,
    Settings,
    TransactionTracker,
    TransactionTrackerApplication,
)
from transaction_tracker.domain import BlockRef
from transaction_tracker.sources.ethereum import SecretUrl
from transaction_tracker.store import DatabaseUrl, Store
from txtrack_devnode import Chain

from .pruning import PruningNode
from .support import caught_up, eventually, reach, submit

UNPROVEN = "could not prove"


@pytest.fixture
async def node() -> AsyncIterator[PruningNode]:
    async with PruningNode(chain=Chain(accounts=12, seed="one")) as running:
        yield running


def block(node: PruningNode, number: int) -> BlockRef:
    found = node.chain.block(number)
    assert found is not None
    return BlockRef(number, found.hash)


@asynccontextmanager
async def another(
    node: PruningNode, blocks: int, *, chain_id: int = 31337
) -> AsyncIterator[PruningNode]:
    """Run another chain on the port of a node."""
    url = node.url
    await node.die()
    port = int(url.rsplit(":", 1)[1].strip("/"))
    chain = Chain(chain_id=chain_id, accounts=12, seed="another", genesis_time=1_600_000_000)
    chain.mine(blocks)
    async with PruningNode(chain=chain, port=port) as other:
        yield other


@contextmanager
def database(settings: Settings) -> Iterator[sqlite3.Connection]:
    path = DatabaseUrl.of(settings.database).path
    assert path is not None
    with closing(sqlite3.connect(path)) as connection:
        yield connection
        connection.commit()


def stored(settings: Settings) -> tuple[Any, ...]:
    """Return all rows that another chain could damage."""
    with database(settings) as connection:
        return (
            connection.execute("SELECT * FROM cursors").fetchall(),
            connection.execute("SELECT * FROM transactions").fetchall(),
            connection.execute("SELECT * FROM events").fetchall(),
            connection.execute("SELECT * FROM blocks").fetchall(),
        )


def without_anchor(settings: Settings) -> None:
    """Remove the stored identity, as in a database of an old version."""
    with database(settings) as connection:
        connection.execute("UPDATE cursors SET anchor_number = NULL, anchor_hash = NULL")


async def followed(settings: Settings, node: PruningNode, blocks: int) -> str:
    """Confirm a payment, follow some more blocks, and return the payment."""
    async with TransactionTrackerApplication(settings) as app:
        tx = submit(node)
        await TransactionTracker.start(tx.hash)
        await node.mine()
        await reach(tx.hash, "mined")
        await node.mine(blocks)
        await reach(tx.hash, "confirmed")
        await caught_up(app, node)
    return tx.hash


async def refused(settings: Settings) -> str:
    """Start the application, and return the error of the failed start."""
    with pytest.raises(StartError) as caught:
        async with TransactionTrackerApplication(settings):
            pass
    return str(caught.value)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    return [text for text in found if UNPROVEN in text]


async def test_chain_with_another_genesis_is_refused_after_a_restart(
    settings: Settings, node: PruningNode
) -> None:
    await followed(settings, node, 10)
    before = stored(settings)
    ours = block(node, 0)

    async with another(node, 200) as other:
        message = await refused(settings)

        assert ours.hash in message
        assert block(other, 0).hash in message
        assert "chain id 31337" in message
        assert "use another database" in message
    assert stored(settings) == before


async def test_preferred_provider_of_another_chain_is_refused(
    settings: Settings, node: PruningNode
) -> None:
    await followed(settings, node, 10)
    chain = Chain(chain_id=31337, accounts=12, seed="another", genesis_time=1_600_000_000)
    chain.mine(200)

    async with PruningNode(chain=chain) as other:
        both = tuple(ProviderSettings(SecretUrl(running.url)) for running in (other, node))
        settings = settings.replace(rpc_url=None, providers=both)
        async with TransactionTrackerApplication(settings) as app:
            await node.mine(3)
            await caught_up(app, node)
            assert app.pool is not None
            assert [status.state for status in app.pool.status()] == ["refused", "active"]
            assert await Store.frozen() is None


async def test_same_chain_is_followed_after_a_restart(
    settings: Settings, node: PruningNode
) -> None:
    await followed(settings, node, 10)

    async with TransactionTrackerApplication(settings) as app:
        assert await Store.identity() == ("ethereum:31337", block(node, 0))
        await node.mine(5)
        await caught_up(app, node)
        assert await Store.frozen() is None


@pytest.mark.parametrize("says_why", [False, True])
@pytest.mark.parametrize("knows_earliest", [False, True])
async def test_chain_with_pruned_block_0_is_followed(
    settings: Settings, node: PruningNode, *, says_why: bool, knows_earliest: bool
) -> None:
    node.chain.mine(1_000)
    node.lowest, node.says_why, node.knows_earliest = 600, says_why, knows_earliest

    await followed(settings, node, 3)

    async with TransactionTrackerApplication(settings):
        found = await Store.identity()
        assert found is not None
        assert found[1] is not None
        assert 600 <= found[1].number <= 700
        assert found[1] == block(node, found[1].number)
    assert len(node.by_number) < 60


async def test_other_chain_with_pruned_block_0_is_refused(
    settings: Settings, node: PruningNode
) -> None:
    node.chain.mine(1_000)
    node.lowest = 600
    await followed(settings, node, 3)
    before = stored(settings)

    async with another(node, 1_000) as other:
        other.lowest = 300
        assert block(other, 600).hash in await refused(settings)
    assert stored(settings) == before


async def test_kept_block_proves_the_chain_when_the_anchor_is_pruned(
    settings: Settings, node: PruningNode, caplog: pytest.LogCaptureFixture
) -> None:
    await followed(settings, node, 10)
    anchor = block(node, 0)
    node.lowest = 5

    async with TransactionTrackerApplication(settings) as app:
        await node.mine()
        await caught_up(app, node)
        assert await Store.identity() == ("ethereum:31337", anchor)
    assert warnings(caplog) == []


@pytest.mark.parametrize("says_why", [False, True])
async def test_unproven_identity_is_logged_as_a_warning(
    settings: Settings, node: PruningNode, caplog: pytest.LogCaptureFixture, *, says_why: bool
) -> None:
    await followed(settings, node, 10)
    node.chain.mine(500)
    node.lowest, node.says_why = 400, says_why

    async with TransactionTrackerApplication(settings):
        assert len(warnings(caplog)) == 1


async def test_database_without_an_anchor_stores_one(settings: Settings, node: PruningNode) -> None:
    await followed(settings, node, 10)
    without_anchor(settings)

    async with TransactionTrackerApplication(settings):
        assert await Store.identity() == ("ethereum:31337", block(node, 0))


@pytest.mark.parametrize("blocks", [10, 100])
async def test_kept_block_refuses_another_chain_without_an_anchor(
    settings: Settings, node: PruningNode, blocks: int
) -> None:
    await followed(settings, node, blocks)
    without_anchor(settings)
    before = stored(settings)
    with database(settings) as connection:
        (lowest,) = connection.execute("SELECT MIN(number) FROM blocks").fetchone()

    async with another(node, 200) as other:
        message = await refused(settings)

        assert block(node, lowest).hash in message
        assert block(other, lowest).hash in message
    assert stored(settings) == before


async def test_unproven_identity_is_not_stored(
    settings: Settings, node: PruningNode, caplog: pytest.LogCaptureFixture
) -> None:
    await node.mine(20)
    await followed(settings, node, 10)
    without_anchor(settings)

    async with another(node, 1), TransactionTrackerApplication(settings):
        assert len(warnings(caplog)) == 1
        assert await Store.identity() == ("ethereum:31337", None)


async def test_recent_reorganisation_is_accepted_as_the_same_chain(
    settings: Settings, node: PruningNode
) -> None:
    await node.mine(20)
    async with TransactionTrackerApplication(settings) as app:
        await caught_up(app, node)
        await node.mine(3)
        await caught_up(app, node)
    without_anchor(settings)
    node.chain.reorg(10)  # all kept blocks

    async with TransactionTrackerApplication(settings) as app:
        await caught_up(app, node)
        await eventually(lambda: app.tip == block(node, node.chain.head.number))


async def test_other_chain_id_is_refused(settings: Settings, node: PruningNode) -> None:
    await followed(settings, node, 10)
    before = stored(settings)

    async with another(node, 20, chain_id=5):
        message = await refused(settings.replace(chain_id=None))

    assert "the database belongs to ethereum:31337 and cannot hold ethereum:5" in message
    assert stored(settings) == before
