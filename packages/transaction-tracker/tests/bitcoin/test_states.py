"""Each state of a Bitcoin transaction, on a small network; see docs/tracker/bitcoin.md."""

import pytest

from transaction_tracker import TransactionTracker, TransactionTrackerApplication
from transaction_tracker.tracker.expectations import InvalidExpectationError
from txtrack_devnode.bitcoin import COIN, BitcoinNode, BitcoinTransaction, Coin, key_script

from .support import caught_up, history, reach


@pytest.fixture(autouse=True)
async def following(app: TransactionTrackerApplication, node: BitcoinNode) -> None:
    await caught_up(app, node)


async def test_payment_is_confirmed_at_depth(node: BitcoinNode) -> None:
    paid = node.chain.pay(value=COIN // 3, fee=1_234)
    await TransactionTracker.start(paid.id)
    await reach(paid.id, "pending")

    block = node.chain.mine()
    mined = await reach(paid.id, "mined")
    node.chain.mine(2)
    confirmed = await reach(paid.id, "confirmed")

    assert mined.anchor is not None
    assert (mined.anchor.number, mined.anchor.hash) == (block.number, block.hash)
    assert confirmed.outcome is not None
    assert (confirmed.outcome.succeeded, confirmed.outcome.fee) == (True, 1_234)
    assert await history(paid.id) == ["pending", "mined", "confirmed"]


async def test_slots_are_all_outputs_that_are_spent(node: BitcoinNode) -> None:
    coins = node.chain.coins(3)
    paid = node.chain.pay(spends=coins)
    await TransactionTracker.start(paid.id)

    pending = await reach(paid.id, "pending")

    assert pending.slots == tuple(f"{coin.id}:{coin.index}" for coin in coins)


async def test_transaction_with_another_fee_replaces(node: BitcoinNode) -> None:
    first = node.chain.pay(fee=1_000)
    await TransactionTracker.start(first.id)
    await reach(first.id, "pending")
    second = node.chain.pay(spends=first.spends, fee=5_000)

    node.chain.mine()
    superseded = await reach(first.id, "superseded")
    node.chain.mine(2)
    replaced = await reach(first.id, "replaced")

    assert superseded.superseded_by == second.id
    assert (replaced.superseded_by, replaced.reason) == (second.id, "replaced")


async def test_same_outputs_with_another_input_is_repriced(node: BitcoinNode) -> None:
    coins = node.chain.coins(2)
    outputs = ((COIN, key_script("bob")), (48 * COIN, key_script("change")))
    first = node.chain.send(BitcoinTransaction(coins[:1], outputs))
    await TransactionTracker.start(first.id)
    await reach(first.id, "pending")

    node.chain.send(BitcoinTransaction(coins, outputs))
    node.chain.mine()

    assert (await reach(first.id, "superseded")).reason == "repriced"


async def test_rival_of_one_input_of_several_replaces(node: BitcoinNode) -> None:
    coins = node.chain.coins(3)
    first = node.chain.pay(spends=coins)
    await TransactionTracker.start(first.id)
    await reach(first.id, "pending")
    rival = node.chain.pay(spends=coins[2:], fee=9_000)

    node.chain.mine()

    assert (await reach(first.id, "superseded")).superseded_by == rival.id


async def test_rival_that_was_never_in_a_mempool_replaces(node: BitcoinNode) -> None:
    first = node.chain.pay(replaceable=False)
    await TransactionTracker.start(first.id)
    await reach(first.id, "pending")
    outputs = ((49 * COIN, key_script("carol")),)
    rival = BitcoinTransaction(first.spends, outputs)

    node.chain.mine(transactions=[rival])

    assert (await reach(first.id, "superseded")).superseded_by == rival.id
    assert first.id not in node.chain.mempool


async def test_child_of_a_replaced_transaction_is_dropped_as_conflicted(node: BitcoinNode) -> None:
    parent = node.chain.pay()
    child = node.chain.pay(spends=[Coin(parent.id, 0)], value=1_000)
    await TransactionTracker.start(child.id)
    await reach(child.id, "pending")
    node.chain.pay(spends=parent.spends, fee=9_000)

    node.chain.mine()
    await reach(child.id, "missing")
    node.chain.mine(4)
    dropped = await reach(child.id, "dropped")

    assert dropped.reason == "conflicted"


async def test_expired_transaction_is_dropped_and_comes_back(node: BitcoinNode) -> None:
    paid = node.chain.pay()
    await TransactionTracker.start(paid.id)
    await reach(paid.id, "pending")
    node.chain.evict(paid.id)
    node.chain.mine()
    await reach(paid.id, "missing")
    node.chain.mine(4)

    dropped = await reach(paid.id, "dropped")
    node.chain.mine(transactions=[paid])
    await reach(paid.id, "mined")

    assert dropped.reason is None


async def test_reorganisation_returns_a_payment_to_pending(node: BitcoinNode) -> None:
    paid = node.chain.pay()
    await TransactionTracker.start(paid.id)
    node.chain.mine()
    first = await reach(paid.id, "mined")

    node.chain.rollback()
    node.chain.mine(2, transactions=[])
    await reach(paid.id, "pending")
    node.chain.mine()
    second = await reach(paid.id, "mined")

    assert first.anchor != second.anchor
    node.chain.mine(2)
    await reach(paid.id, "confirmed")


async def test_double_spend_by_a_reorganisation_replaces(node: BitcoinNode) -> None:
    paid = node.chain.pay(replaceable=False)
    await TransactionTracker.start(paid.id)
    node.chain.mine()
    await reach(paid.id, "mined")
    thief = BitcoinTransaction(paid.spends, ((49 * COIN, key_script("thief")),))

    node.chain.rollback()
    node.chain.mine(transactions=[thief])
    node.chain.mine(3)
    replaced = await reach(paid.id, "replaced")

    assert replaced.superseded_by == thief.id


async def test_reward_is_final_only_once_it_can_be_spent(
    app: TransactionTrackerApplication, node: BitcoinNode
) -> None:
    reward = node.chain.mine().transactions[0]
    await TransactionTracker.start(reward.id)

    mined = await reach(reward.id, "mined")
    node.chain.mine(98)
    await caught_up(app, node)
    almost = await TransactionTracker.status(reward.id)
    node.chain.mine()
    confirmed = await reach(reward.id, "confirmed")

    assert mined.required == confirmed.required == 100
    assert almost.state == "mined"
    assert confirmed.outcome is not None
    assert confirmed.outcome.fee == 0


async def test_reward_needs_its_confirmations_after_a_change_to_fewer(
    app: TransactionTrackerApplication, node: BitcoinNode
) -> None:
    reward = node.chain.mine().transactions[0]
    await TransactionTracker.start(reward.id)
    await reach(reward.id, "mined")

    changed = await TransactionTracker.change(reward.id, confirmations=6)
    node.chain.mine(20)
    await caught_up(app, node)

    assert changed.required == 100
    assert (await TransactionTracker.status(reward.id)).state == "mined"
    more = await TransactionTracker.change(reward.id, confirmations=101)
    assert more.required == 101


async def test_change_of_a_payment_in_a_block_has_no_minimum(node: BitcoinNode) -> None:
    paid = node.chain.pay()
    await TransactionTracker.start(paid.id)
    node.chain.mine()
    await reach(paid.id, "mined")

    changed = await TransactionTracker.change(paid.id, confirmations=1)

    assert changed.required == 1
    await reach(paid.id, "confirmed")


async def test_reward_of_a_removed_block_is_dropped(node: BitcoinNode) -> None:
    reward = node.chain.mine().transactions[0]
    await TransactionTracker.start(reward.id)
    await reach(reward.id, "mined")

    node.chain.reorganise()
    await reach(reward.id, "missing")
    node.chain.mine(4)

    assert (await reach(reward.id, "dropped")).anchor is None


async def test_old_transaction_is_found_by_the_index(node: BitcoinNode) -> None:
    paid = node.chain.pay()
    node.chain.mine(90)
    await TransactionTracker.start(paid.id)

    confirmed = await reach(paid.id, "confirmed")

    assert confirmed.outcome is not None
    assert confirmed.outcome.fee == 1_000


async def test_without_an_index_our_own_blocks_show_a_transaction(
    app: TransactionTrackerApplication, node: BitcoinNode
) -> None:
    node.state.txindex = False
    paid = node.chain.pay()
    node.chain.mine()
    await caught_up(app, node)

    await TransactionTracker.start(paid.id)
    mined = await reach(paid.id, "mined")
    node.chain.mine(2)

    assert mined.anchor is not None
    assert (await reach(paid.id, "confirmed")).anchor == mined.anchor


@pytest.mark.parametrize("field", ["from", "token"])
async def test_expectation_that_no_payment_can_meet_is_refused(field: str) -> None:
    address = "bcrt1q6rhpng9evdsfnn833a4f4vej0asu6dk5srld6x"

    with pytest.raises(InvalidExpectationError) as caught:
        await TransactionTracker.start("0" * 64, expect={"to": address, field: address})

    assert caught.value.field == field
    assert f"leave {field} out" in str(caught.value)


async def test_details_list_the_outputs_in_satoshi(node: BitcoinNode) -> None:
    paid = node.chain.pay(to="bob", value=12_345_678)
    await TransactionTracker.start(paid.id)
    await reach(paid.id, "pending")

    payment = (await TransactionTracker.details(paid.id)).payment

    assert payment is not None
    assert (payment.recipient, payment.value) == (None, None)
    assert payment.outputs is not None
    assert [output.value for output in payment.outputs] == [
        12_345_678,
        50 * COIN - 12_345_678 - 1_000,
    ]
    assert all(str(output.recipient).startswith("bcrt1q") for output in payment.outputs)
