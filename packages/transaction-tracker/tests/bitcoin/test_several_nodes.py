"""Several Bitcoin nodes: no end comes from the answer of one of them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from transaction_tracker import Settings, TransactionTracker, TransactionTrackerApplication
from transaction_tracker.providers import ProviderSettings
from transaction_tracker.sources.ethereum import SecretUrl
from txtrack_devnode.bitcoin import BitcoinChain, BitcoinNode

from .support import caught_up, eventually, history, reach

Nodes = list[BitcoinNode]


@pytest.fixture
async def nodes() -> AsyncIterator[Nodes]:
    """Three nodes on one chain."""
    chain = BitcoinChain.mature()
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(BitcoinNode(chain)) for _ in range(3)]


@pytest.fixture
async def app(nodes: Nodes, tmp_path: Path) -> AsyncIterator[TransactionTrackerApplication]:
    settings = Settings(
        type="bitcoin",
        network="regtest",
        providers=tuple(ProviderSettings(SecretUrl(node.url)) for node in nodes),
        confirmations=3,
        database=tmp_path / "test.db",
        poll_interval=0.01,
        block_time=0.02,
        drop_after_blocks=2,
        drop_after_seconds=0.0,
    )
    async with TransactionTrackerApplication(settings) as running:
        await eventually(lambda: running.tip is not None)
        yield running


def other_fee(found: Any, _params: list[object]) -> object:
    return {**found, "fee": 0.5} if "fee" in found else found


@pytest.mark.usefixtures("app")
async def test_payment_is_confirmed_if_the_nodes_agree(nodes: Nodes) -> None:
    paid = nodes[0].chain.pay()
    await TransactionTracker.start(paid.id)
    await reach(paid.id, "pending")

    nodes[0].chain.mine(3)

    assert (await reach(paid.id, "confirmed")).state == "confirmed"
    assert all(node.counters["getrawtransaction"] for node in nodes)


async def test_fee_of_one_node_alone_is_not_published(
    app: TransactionTrackerApplication, nodes: Nodes
) -> None:
    assert app.pool is not None
    followed = next(status.name for status in app.pool.status() if status.state == "active")
    nodes[int(followed.rpartition("-")[2]) - 1].lies["getrawtransaction"] = other_fee
    paid = nodes[0].chain.pay(fee=2_000)
    await TransactionTracker.start(paid.id)

    nodes[0].chain.mine(3)
    await reach(paid.id, "mined")
    nodes[0].chain.mine()
    confirmed = await reach(paid.id, "confirmed")

    assert confirmed.outcome is not None
    assert confirmed.outcome.fee == 2_000


async def test_transaction_that_one_node_still_knows_is_not_dropped(
    app: TransactionTrackerApplication, nodes: Nodes
) -> None:
    paid = nodes[0].chain.pay()
    await TransactionTracker.start(paid.id)
    await reach(paid.id, "pending")
    nodes[2].follow(nodes[0].chain.peer())
    nodes[0].chain.evict(paid.id)

    nodes[0].chain.mine(6)
    await caught_up(app, nodes[0])
    asked = nodes[2].counters["getrawtransaction"]
    await eventually(lambda: nodes[2].counters["getrawtransaction"] > asked + 1)

    assert await history(paid.id) == ["pending"]


async def test_node_on_another_branch_holds_an_end_back(
    app: TransactionTrackerApplication, nodes: Nodes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "transaction_tracker")
    branch = nodes[0].chain.copy()
    nodes[2].follow(branch)
    branch.mine(4)
    paid = nodes[0].chain.pay()
    await TransactionTracker.start(paid.id)
    await reach(paid.id, "pending")

    nodes[0].chain.mine(4)
    await eventually(lambda: f"the end of {paid.id} is held back" in caplog.text)
    held = await TransactionTracker.status(paid.id)
    nodes[2].follow(nodes[0].chain)
    nodes[0].chain.mine()

    assert held.state == "mined"
    assert (await reach(paid.id, "confirmed")).state == "confirmed"
    del app


async def test_pruned_node_and_full_nodes_agree(
    app: TransactionTrackerApplication, nodes: Nodes
) -> None:
    del app
    nodes[1].state.pruned_below = 10_000
    nodes[2].state.txindex = False
    paid = nodes[0].chain.pay()
    await TransactionTracker.start(paid.id)
    await reach(paid.id, "pending")

    nodes[0].chain.mine(3)

    assert (await reach(paid.id, "confirmed")).state == "confirmed"
