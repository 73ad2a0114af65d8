"""Answers that other programs misread: null, data that is not available yet, and refusals."""

import pytest

from transaction_tracker import TransactionTracker
from transaction_tracker.sources.ethereum.blocks import Blocks
from transaction_tracker.store import Store
from txtrack_devnode.faults import (
    CallError,
    Fault,
    Indexing,
    LaggingHead,
    LaggingReceipts,
    StaleNull,
)

from .support import Network, caught_up, eventually, history, reach, states

# No time limits: a wrong conclusion would end a transaction at once.
HASTY = {"drop_after_blocks": 0, "drop_after_seconds": 0.0}
LOOK_UPS = frozenset(("eth_getTransactionByHash", "eth_getTransactionReceipt"))
RECEIPTS = frozenset(("eth_getTransactionReceipt", "eth_getBlockReceipts"))


async def asked_again(network: Network, fault: str, *transactions: str) -> None:
    """Recheck transactions three times, with a fault in each answer."""
    counts = network.first.faults.counts
    for _ in range(3):
        before = counts[fault]
        for transaction in transactions:
            await TransactionTracker.recheck(transaction)
        await eventually(lambda before=before: counts[fault] > before)


@pytest.mark.parametrize(
    "fault",
    [StaleNull(methods=RECEIPTS), LaggingReceipts(blocks=100)],
    ids=["always null", "null while new"],
)
async def test_success_recorded_as_failure_on_a_stale_null(network: Network, fault: Fault) -> None:
    """OpenZeppelin Relayer#817, geth#18448: mined, its nonce used, and no receipt at first.

    Other programs concluded that another transaction had used the nonce, so this one had failed.
    """
    async with network.followed(**HASTY) as app:
        tx = network.submit()
        await TransactionTracker.start(tx.hash)
        await reach(tx.hash, "pending")
        for node in (network.first, network.second):
            node.faults.inject(fault)

        await network.first.mine(5)
        await caught_up(app, network.first)
        await asked_again(network, fault.name, tx.hash)
        unclear = await TransactionTracker.status(tx.hash)
        network.second.faults.clear()  # one receipt for the block, two for the end
        await TransactionTracker.recheck(tx.hash)
        await reach(tx.hash, "mined")
        network.first.faults.clear()
        await network.first.mine(1)
        confirmed = await reach(tx.hash, "terminal")

        assert unclear.state == "pending"
        assert confirmed.state == "confirmed"
        assert await history(tx.hash) == ["pending", "mined", "confirmed"]


async def test_success_recorded_as_failure_on_a_stale_null_for_transaction_and_receipt(
    network: Network,
) -> None:
    """geth#28789: for a moment, a node knows neither the mined transaction nor its receipt.

    Our own block contains the transaction, so it does not become missing.
    """
    async with network.followed(**HASTY) as app:
        tx = network.submit()
        for node in (network.first, network.second):
            node.faults.inject(StaleNull(methods=LOOK_UPS, about=tx.hash))
        await network.first.mine(5)
        await caught_up(app, network.first)

        await TransactionTracker.start(tx.hash)
        assert (await TransactionTracker.recheck(tx.hash)).state == "registered"
        network.second.faults.clear()  # the first node still answers null
        await TransactionTracker.recheck(tx.hash)

        assert (await reach(tx.hash, "terminal")).state == "confirmed"
        assert await history(tx.hash) == ["mined", "confirmed"]


async def test_success_recorded_as_failure_on_a_stale_null_of_a_node_that_lags(
    network: Network,
) -> None:
    """geth#18448: the node behind the load balancer lacked the block, and returned null."""
    async with network.followed(**HASTY) as app:
        tx = network.submit()
        await TransactionTracker.start(tx.hash)
        await reach(tx.hash, "pending")
        await network.first.mine(2)
        await caught_up(app, network.first)
        await reach(tx.hash, "mined")

        # The followed node dies. At the height of the other node, the transaction is pending.
        network.second.faults.inject(LaggingHead(blocks=2))
        await network.first.die()
        await eventually(lambda: states(app)[1] == "active")
        asked = network.second.counters["eth_getBlockByNumber"]
        await eventually(lambda: network.second.counters["eth_getBlockByNumber"] > asked + 5)
        network.second.faults.clear()
        network.chain.mine()

        assert (await reach(tx.hash, "terminal")).state == "confirmed"
        assert not {"missing", "dropped", "failed"} & set(await history(tx.hash))
        assert await Store.frozen() is None


async def test_transaction_indexing_is_in_progress(network: Network) -> None:
    """geth#29956, ethers#4999, web3.py#3212: a node that builds its index was treated as failed.

    The error means "not yet": it is not a fact, and does not count against the node.
    """
    for node in (network.first, network.second):
        node.faults.inject(Indexing())
    async with network.followed(**HASTY) as app:
        mined, waiting = network.submit(0), network.submit(1)
        network.chain.drop(waiting.hash)
        await network.first.mine(5)
        await caught_up(app, network.first)
        network.chain.add(waiting)
        for tx in (mined, waiting):
            await TransactionTracker.start(tx.hash)
        await asked_again(network, "indexing", mined.hash, waiting.hash)
        unclear = [(await TransactionTracker.status(tx.hash)).state for tx in (mined, waiting)]

        for node in (network.first, network.second):
            node.faults.clear()
        for tx in (mined, waiting):
            await TransactionTracker.recheck(tx.hash)

        assert unclear == ["registered", "registered"]
        assert (await reach(mined.hash, "terminal")).state == "confirmed"
        await reach(waiting.hash, "pending")
        assert states(app) == ["active", "healthy"]


async def test_transaction_indexing_is_in_progress_for_the_receipt_of_a_new_block(
    network: Network,
) -> None:
    """geth#29956: a node cannot return the receipts of a new block yet."""
    async with network.followed() as app:
        tx = network.submit()
        await TransactionTracker.start(tx.hash)
        await reach(tx.hash, "pending")
        network.first.faults.inject(Indexing())

        await network.first.mine()
        await caught_up(app, network.first)
        await asked_again(network, "indexing", tx.hash)
        network.first.faults.clear()
        await TransactionTracker.recheck(tx.hash)
        await reach(tx.hash, "mined")

        assert await history(tx.hash) == ["pending", "mined"]
        assert states(app) == ["active", "healthy"]


@pytest.fixture
def _late_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Poll heads without the next block, so that the block is requested by its hash."""
    monkeypatch.setattr(Blocks, "request_next", lambda *_: [])


@pytest.mark.usefixtures("_late_blocks")
async def test_block_not_found_right_after_its_head(network: Network) -> None:
    """viem#1543, erigon#1761: a node reports a head, and for a moment lacks its block.

    The same node is asked again by the hash of the block, and no other node.
    """
    async with network.followed() as app:
        await caught_up(app, network.first)
        tx = network.submit()
        await TransactionTracker.start(tx.hash)
        await reach(tx.hash, "pending")
        network.first.faults.inject(StaleNull(methods=frozenset(("eth_getBlockByHash",)), times=2))

        await network.first.mine()
        await reach(tx.hash, "mined")

        assert network.first.faults.counts["stale-null"] == 2
        assert network.second.counters["eth_getBlockByHash"] == 0
        assert states(app) == ["active", "healthy"]


@pytest.mark.usefixtures("_late_blocks")
async def test_block_not_found_right_after_its_head_and_another_node_has_it(
    network: Network,
) -> None:
    """viem#1543: if the node that reported the head still lacks the block, another is asked."""
    async with network.followed() as app:
        await caught_up(app, network.first)
        tx = network.submit()
        await TransactionTracker.start(tx.hash)
        await reach(tx.hash, "pending")
        network.first.faults.inject(StaleNull(methods=frozenset(("eth_getBlockByHash",))))

        for _ in range(3):
            await network.first.mine()
            await caught_up(app, network.first)
        await reach(tx.hash, "confirmed")

        assert network.first.faults.counts["stale-null"] > 2
        assert network.second.counters["eth_getBlockByHash"] == 3
        assert states(app) == ["active", "healthy"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (-32000, "execution reverted"),
        (-32602, "invalid argument 0"),
        (-32603, "Transaction nonce too low"),
    ],
)
async def test_one_class_of_error_pauses_every_provider(
    network: Network, code: int, message: str
) -> None:
    """OpenZeppelin Relayer#681: an error about one transaction at each node paused all nodes.

    The error had the code of an internal error, so the relayer retried it at one node after
    another. Here it delays only that transaction, until a node returns its receipt.
    """
    refused = []
    async with network.followed() as app:
        for sender in range(4):
            tx = network.submit(sender)
            refused.append(tx)
            for node in (network.first, network.second):
                methods = frozenset(("eth_getTransactionReceipt",))
                node.faults.inject(
                    CallError(code=code, message=message, methods=methods, about=tx.hash)
                )
            await TransactionTracker.start(tx.hash)
            await reach(tx.hash, "pending")
            await network.first.mine()
            await caught_up(app, network.first)
        other = network.submit(6)
        await TransactionTracker.start(other.hash)
        await network.first.mine(3)
        await reach(other.hash, "confirmed")

        assert network.first.faults.counts["call-error"] >= 4
        assert states(app) == ["active", "healthy"]
        assert {(await TransactionTracker.status(tx.hash)).state for tx in refused} == {"pending"}

        for node in (network.first, network.second):
            node.faults.clear()
        for tx in refused:
            await TransactionTracker.recheck(tx.hash)
            await reach(tx.hash, "confirmed")


async def test_one_class_of_error_pauses_every_provider_although_another_has_the_receipt(
    network: Network,
) -> None:
    """OpenZeppelin Relayer#681: if one node fails at a transaction, another is asked."""
    async with network.followed() as app:
        tx = network.submit()
        await TransactionTracker.start(tx.hash)
        await reach(tx.hash, "pending")
        network.first.faults.inject(
            CallError(methods=frozenset(("eth_getTransactionReceipt",)), about=tx.hash)
        )

        await network.first.mine(3)
        await reach(tx.hash, "confirmed")

        assert network.first.faults.counts["call-error"] > 0
        assert states(app) == ["active", "healthy"]
