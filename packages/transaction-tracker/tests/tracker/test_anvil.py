"""The final states, on a real node."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from transaction_tracker import Settings, TransactionTracker, TransactionTrackerApplication

from .anvil import Anvil
from .support import eventually, history, reach

pytestmark = pytest.mark.anvil

ANVIL_CHAIN = 31337
# Deploys a contract that always reverts: PUSH1 0, PUSH1 0, REVERT.
DEPLOY_REVERTING = "0x6460006000fd6000526005601bf3"
HIGHER_PRICE = {"maxFeePerGas": hex(3 * 10**10), "maxPriorityFeePerGas": hex(3 * 10**9)}


@pytest.fixture
async def app(anvil: Anvil, tmp_path: Path) -> AsyncIterator[TransactionTrackerApplication]:
    settings = Settings(
        anvil.url,
        chain_id=ANVIL_CHAIN,
        confirmations=3,
        database=tmp_path / "test.db",
        poll_interval=0.02,
        block_time=0.05,
    )
    async with TransactionTrackerApplication(settings) as running:
        yield running


async def tracked(key: str) -> str:
    """Start tracking a pending transaction."""
    await TransactionTracker.start(key)
    await reach(key, "pending")
    return key


async def raw(anvil: Anvil, key: str) -> str:
    """Return the signed transaction, to send it again: anvil drops it in a reorganisation."""
    return str(await anvil.ask("eth_getRawTransactionByHash", key))


async def test_confirmed_at_depth_on_anvil(
    app: TransactionTrackerApplication, anvil: Anvil
) -> None:
    key = await tracked(await anvil.pay(0, 1))

    await anvil.mine()
    mined = await reach(key, "mined")
    await anvil.mine(2)
    confirmed = await reach(key, "confirmed")

    receipt = await anvil.ask("eth_getTransactionReceipt", key)
    assert mined.anchor is not None
    assert mined.anchor.hash == receipt["blockHash"]
    assert confirmed.outcome is not None
    price, gas = int(receipt["effectiveGasPrice"], 16), int(receipt["gasUsed"], 16)
    assert confirmed.outcome.fee == price * gas


async def test_reverted_transaction_fails_on_anvil(
    app: TransactionTrackerApplication, anvil: Anvil
) -> None:
    deployed = await anvil.send(0, data=DEPLOY_REVERTING)
    await anvil.mine()
    contract = (await anvil.ask("eth_getTransactionReceipt", deployed))["contractAddress"]

    key = await tracked(await anvil.send(1, to=contract))
    await anvil.mine()
    await reach(key, "mined_reverted")
    await anvil.mine(2)

    await reach(key, "failed")


@pytest.mark.parametrize(
    ("to", "value", "reason"),
    [(1, 5, "repriced"), (0, 0, "cancelled"), (2, 5, "replaced"), (1, 6, "replaced")],
)
async def test_superseded_transaction_is_replaced_on_anvil(
    app: TransactionTrackerApplication, anvil: Anvil, to: int, value: int, reason: str
) -> None:
    key = await tracked(await anvil.pay(0, 1, 5, nonce="0x0"))
    winner = await anvil.pay(0, to, value, nonce="0x0", **HIGHER_PRICE)

    await anvil.mine()
    superseded = await reach(key, "superseded")
    await anvil.mine(2)
    replaced = await reach(key, "replaced")

    assert (superseded.superseded_by, superseded.reason) == (winner, reason)
    assert (replaced.superseded_by, replaced.reason) == (winner, reason)


async def test_reorganised_transaction_is_mined_again(
    app: TransactionTrackerApplication, anvil: Anvil
) -> None:
    await anvil.mine(3)
    key = await tracked(await anvil.pay(0, 1))
    await anvil.mine()
    await reach(key, "mined")
    signed = await raw(anvil, key)

    await anvil.ask("anvil_reorg", 1, [])
    await reach(key, "pending")
    await anvil.ask("eth_sendRawTransaction", signed)
    await anvil.mine(3)
    await reach(key, "confirmed")

    assert await history(key) == ["pending", "mined", "pending", "mined", "confirmed"]


async def test_transaction_moves_to_another_block(
    app: TransactionTrackerApplication, anvil: Anvil
) -> None:
    await anvil.mine(3)
    key = await tracked(await anvil.pay(0, 1))
    await anvil.mine()
    before = await reach(key, "mined")
    assert before.anchor is not None
    await anvil.mine()
    signed = await raw(anvil, key)

    await anvil.ask("anvil_reorg", 2, [[signed, 1]])
    moved = await anvil.ask("eth_getTransactionReceipt", key)
    assert moved["blockHash"] != before.anchor.hash
    await eventually(lambda: app.tip is not None and app.tip.hash == moved["blockHash"])
    after = await TransactionTracker.status(key)

    assert after.state == "mined"
    assert after.anchor is not None
    assert (after.anchor.number, after.anchor.hash) == (
        before.anchor.number + 1,
        moved["blockHash"],
    )
    assert TransactionTracker.confirmations(after) == 1
    await anvil.mine(2)
    await reach(key, "confirmed")


async def test_transaction_is_pending_after_a_rollback(
    app: TransactionTrackerApplication, anvil: Anvil
) -> None:
    await anvil.mine(3)
    key = await tracked(await anvil.pay(0, 1))
    await anvil.mine()
    await reach(key, "mined")

    await anvil.ask("anvil_rollback", 1)

    await reach(key, "pending")


async def test_deep_reorganisation_is_followed(
    app: TransactionTrackerApplication, anvil: Anvil
) -> None:
    await anvil.mine(60)
    await eventually(lambda: app.tip is not None and app.tip.number == 60)

    await anvil.ask("anvil_reorg", 50, [])

    head = await anvil.ask("eth_getBlockByNumber", "latest", False)
    await eventually(lambda: app.tip is not None and app.tip.hash == head["hash"])


async def test_transaction_registered_after_it_was_mined_is_found(
    app: TransactionTrackerApplication, anvil: Anvil
) -> None:
    key = await anvil.pay(0, 1)
    await anvil.mine(100)
    await eventually(lambda: app.tip is not None and app.tip.number == 100)

    await TransactionTracker.start(key)

    await reach(key, "confirmed")


async def test_many_transactions_in_few_blocks_are_confirmed(
    app: TransactionTrackerApplication, anvil: Anvil
) -> None:
    keys = [
        await anvil.pay(sender, 9, nonce=hex(nonce)) for nonce in range(25) for sender in range(8)
    ]
    for key in keys:
        await TransactionTracker.start(key)

    await anvil.mine(3)
    await eventually(lambda: app.open == 0)

    assert {(await TransactionTracker.status(key)).state for key in keys} == {"confirmed"}
