"""Watched addresses: each payment of the coin to one becomes a tracked transaction."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from transaction_tracker import TransactionTracker
from transaction_tracker.follower.address_options import AddressesSection
from transaction_tracker.store.addresses import counts

from .chain import address, transaction
from .node import Node
from .watching import ETHER, SHOP, coin, deposits_of, kept, pays, unwatch, watch, watched
from .world import CONFIRMATIONS, World, chain_of

OTHER = address("other shop")


def test_payment_to_a_watched_address_is_tracked_until_its_end() -> None:
    chain = chain_of(100)
    world = World(Node(chain))
    payment = pays("customer", 0)

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP, metadata='{"customer":7}')
        chain.mine(payment, pays("other", 0, OTHER))
        await world.reaches(chain)
        assert (await world.status(payment)).state == "mined"
        assert await deposits_of(payment) == [coin()]
        assert (await watched()).open == 1
        await world.blocks(CONFIRMATIONS)
        await world.becomes(payment, "confirmed")
        assert await world.history(payment) == ["mined", "confirmed"]
        found = await watched()
        assert (found.found, found.open) == (1, 0)
        record = await kept(payment)
        assert record is not None
        assert record.metadata == '{"customer":7}'

    world.play(main)
    assert world.events == [(payment["hash"], "mined"), (payment["hash"], "confirmed")]


def test_event_names_the_watched_address() -> None:
    chain = chain_of(100)
    world = World(Node(chain))
    payment = pays("customer", 0)

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP)
        chain.mine(payment)
        await world.reaches(chain)
        shown = (await world.get(f"/v1/transactions/{payment['hash']}")).content
        (event,) = shown["history"]
        deposits = [{"address": SHOP, "token": None, "value": str(ETHER)}]
        for view in (shown, event):
            assert (view["address"], view["deposits"]) == (SHOP, deposits)

    world.play(main)


def test_reorganisation_takes_a_deposit_out_and_in() -> None:
    chain = chain_of(100)
    world = World(node := Node(chain))
    payment = pays("customer", 0)

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP)
        chain.mine(payment)
        await world.blocks(2)
        node.chain = left = chain.fork(100, "left")
        left.wait(payment)
        left.grow(4)
        await world.reaches(left)
        assert (await world.becomes(payment, "pending")).anchor is None
        found = await watched()
        assert (found.found, found.open) == (1, 1)
        left.mine(payment)
        await world.blocks(CONFIRMATIONS, left)
        await world.becomes(payment, "confirmed")
        assert await world.history(payment) == ["mined", "pending", "mined", "confirmed"]
        found = await watched()
        assert (found.found, found.open) == (1, 0)

    world.play(main)


def test_deposit_that_a_reorganisation_removes_for_good_is_not_confirmed() -> None:
    chain = chain_of(100)
    world = World(node := Node(chain))
    payment = pays("customer", 0)

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP)
        chain.mine(payment)
        await world.reaches(chain)
        node.chain = left = chain.fork(100, "left")
        await world.blocks(CONFIRMATIONS + 3, left)
        await world.becomes(payment, "dropped", within=600)
        assert "confirmed" not in await world.history(payment)

    world.play(main)


def test_deposit_registered_by_hand_stays_one_transaction() -> None:
    chain = chain_of(100)
    world = World(Node(chain))
    payment = pays("customer", 0)

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP, metadata='{"of":"the address"}')
        chain.wait(payment)
        await world.track(payment, confirmations=3, metadata={"of": "the order"})
        await world.becomes(payment, "pending")
        chain.mine(payment)
        await world.reaches(chain)
        tracked = await world.status(payment)
        assert (tracked.state, tracked.required) == ("mined", 3)
        assert await deposits_of(payment) == [coin()]
        record = await kept(payment)
        assert record is not None
        assert record.metadata == '{"of": "the order"}'
        await world.blocks(3)
        await world.becomes(payment, "confirmed")
        assert (await watched()).open == 0

    world.play(main)


def test_deposit_registered_by_sender_and_nonce_stays_one_transaction() -> None:
    chain = chain_of(100)
    world = World(Node(chain))
    payment = pays("customer", 0)
    slot = {"hash": f"{address('customer')}:0"}

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP)
        await world.track(slot)
        await asyncio.sleep(30)
        chain.mine(payment)
        await world.reaches(chain)
        await world.becomes(slot, "mined")
        assert await deposits_of(slot) == [coin()]
        assert await kept(payment) is None

    world.play(main)


def test_untracked_deposit_is_not_tracked_again() -> None:
    chain = chain_of(100)
    world = World(node := Node(chain))
    payment = pays("customer", 0)

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP)
        chain.mine(payment)
        await world.reaches(chain)
        await TransactionTracker.untrack(payment["hash"])
        assert (await watched()).open == 0
        node.chain = left = chain.fork(100, "left")
        left.mine(payment)
        await world.blocks(2, left)
        assert (await world.status(payment)).state == "untracked"

    world.play(main)


def test_address_that_is_added_while_a_block_is_applied_gets_its_deposit() -> None:
    chain = chain_of(100)
    world = World(node := Node(chain))
    first, second = pays("customer", 0), pays("customer", 1, OTHER)
    adding: list[asyncio.Task[None]] = []

    def add(_params: list[Any], receipt: Any) -> Any:
        # Our block has been compared with the addresses: its receipts are fetched now.
        if not adding:
            adding.append(asyncio.ensure_future(watch(OTHER)))
            return None  # the receipts are asked for again, some time later
        return receipt

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP)
        node.change["eth_getTransactionReceipt"] = add
        chain.mine(first, second)
        await world.reaches(chain)
        assert adding
        for payment, account in ((first, SHOP), (second, OTHER)):
            assert (await world.status(payment)).state == "mined"
            assert await deposits_of(payment) == [coin(account)]

    world.play(main)


def test_removed_address_gets_new_deposits_no_longer() -> None:
    chain = chain_of(100)
    world = World(Node(chain))
    first, second = pays("customer", 0), pays("customer", 1)

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP)
        chain.mine(first)
        await world.reaches(chain)
        await unwatch(SHOP)
        chain.mine(second)
        await world.blocks(CONFIRMATIONS)
        await world.becomes(first, "confirmed")
        assert await kept(second) is None

    world.play(main)


def test_deposits_are_found_after_a_restart(tmp_path: Path) -> None:
    chain = chain_of(100)
    world = World(Node(chain), database=tmp_path / "test.db")
    payment = pays("customer", 0)

    async def main() -> None:
        await world.start()
        await world.reaches(chain)
        await watch(SHOP, OTHER)
        await unwatch(OTHER)
        await world.stop()
        chain.grow(5)
        chain.mine(payment, pays("customer", 1, OTHER))
        chain.grow(5)
        await world.start()
        await world.reaches(chain)
        assert await deposits_of(payment) == [coin()]

    world.simulate(main)


def test_confirmations_of_the_address_make_its_deposits_final() -> None:
    chain = chain_of(100)
    world = World(Node(chain, "one"), Node(chain, "two"))
    payment, other = pays("customer", 0), pays("customer", 1, OTHER)

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP, required=1)
        await watch(OTHER)
        chain.mine(payment, other)
        await world.blocks(2)
        await world.becomes(payment, "confirmed")
        assert (await world.status(other)).required == CONFIRMATIONS

    world.play(main)


def test_no_end_while_another_provider_denies_the_deposit() -> None:
    chain = chain_of(100)
    liar, honest = Node(chain, "one"), Node(chain_of(100), "two")
    world = World(liar, honest)
    payment = pays("customer", 0)

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP, required=2)
        chain.mine(payment)
        honest.chain.mine()
        await world.blocks(6, chain, honest.chain)
        assert await world.ends(payment) == []

    world.play(main)


def test_payments_that_become_no_transaction_are_counted() -> None:
    chain = chain_of(100)
    rules = AddressesSection(min_value=ETHER, max_open=2)
    world = World(Node(chain), addresses=rules)
    dust = [pays("dust", nonce, value=ETHER - 1) for nonce in range(3)]
    good = [pays("customer", nonce) for nonce in range(3)]
    failed = pays("failed", 0)

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP)
        chain.mine(*dust)
        chain.mine(failed, receipt={"status": "0x0"})
        chain.mine(*good)
        await world.reaches(chain)
        found = await watched()
        assert found.passed_over == {"below_minimum": 3, "failed": 1, "over_limit": 1}
        assert (found.found, found.open) == (2, 2)
        for payment in (*dust, failed, good[2]):
            assert await kept(payment) is None
        await world.blocks(CONFIRMATIONS)
        await world.becomes(good[0], "confirmed")
        # There is room again.
        chain.mine(later := pays("customer", 3))
        await world.reaches(chain)
        assert (await world.status(later)).state == "mined"

    world.play(main)


@pytest.mark.parametrize(
    "payment",
    [
        transaction("customer", 0, to=SHOP, value="0x0"),
        transaction(SHOP, 0, to=SHOP),
        transaction("customer", 0, to=None),
        transaction("customer", 0, to=7),
        transaction("customer", 0, to="0x" + "zz" * 20),
        transaction("customer", 0, to=SHOP, value="no number"),
    ],
    ids=["of-nothing", "to-itself", "creation", "number", "no-hex", "unreadable-value"],
)
def test_transaction_that_pays_nothing_makes_no_deposit(payment: dict[str, Any]) -> None:
    chain = chain_of(100)
    world = World(Node(chain))

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP)
        chain.mine(payment)
        await world.reaches(chain)
        assert await kept(payment) is None
        found = await watched()
        assert (found.found, sum(found.passed_over.values())) == (0, 0)

    world.play(main)


def test_deposit_without_a_receipt_is_asked_about_again() -> None:
    chain = chain_of(100)
    world = World(node := Node(chain))
    payment = pays("customer", 0)

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP)
        node.change["eth_getTransactionReceipt"] = lambda _params, _receipt: None
        chain.mine(payment)
        await world.reaches(chain)
        assert (await world.status(payment)).state == "registered"
        del node.change["eth_getTransactionReceipt"]
        await world.blocks(3)
        await world.becomes(payment, "mined")
        assert await deposits_of(payment) == [coin()]

    world.play(main)


def test_trackers_run_after_the_follower_crashed_between_commit_and_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chain = chain_of(100)
    world = World(Node(chain))
    payment = pays("customer", 0)
    reopen = TransactionTracker.reopen
    crashed: list[bool] = []

    async def crash(tracked: Any) -> None:
        if not crashed:
            crashed.append(True)
            raise RuntimeError("the follower crashes here")
        await reopen(tracked)

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP)
        monkeypatch.setattr(TransactionTracker, "reopen", crash)
        chain.mine(payment)
        await world.blocks(3)
        assert crashed
        assert TransactionTracker.lookup(payment["hash"]) is not None
        await world.blocks(CONFIRMATIONS)
        await world.becomes(payment, "confirmed")

    world.play(main)


def test_addresses_of_deposits_are_read_from_json() -> None:
    text = ",".join(f'{{"address":"{each}","token":null,"value":"1"}}' for each in "aba")

    assert counts.addresses_in(f"[{text}]") == {"a", "b"}
