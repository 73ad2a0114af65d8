"""Incomplete receipts, and receipts that only some providers have (rules 11.5 and 11.7)."""

from typing import Any

import pytest

from .chain import Json, address, transaction
from .node import Node
from .world import CONFIRMATIONS, World, chain_of

# A receipt from before Byzantium.
OLD: Json = {"status": None, "root": "0x" + "ab" * 32}
SHOP = address("shop")


def old_payment(**fields: object) -> Json:
    """Return a transaction from before Byzantium."""
    return transaction("customer", 1, kind="0x0", chainId=None, **fields)


@pytest.mark.parametrize("gas", ["0x5209", "0x30d40"])
def test_old_receipt_with_unused_gas_is_a_success(gas: str) -> None:
    payment = old_payment(gas=gas)
    chain = chain_of(100)
    chain.code[SHOP] = "0x6000"
    world = World(Node(chain))

    async def main() -> None:
        await world.track(payment)
        chain.mine(payment, receipt=OLD)
        await world.blocks(CONFIRMATIONS)
        confirmed = await world.becomes(payment, "confirmed")
        assert confirmed.outcome is not None
        assert confirmed.outcome.succeeded

    world.play(main)


def test_an_old_receipt_of_a_plain_transfer_is_a_success() -> None:
    payment = old_payment(gas="0x5208")
    chain = chain_of(100)
    world = World(Node(chain))

    async def main() -> None:
        await world.track(payment)
        chain.mine(payment, receipt=OLD)
        await world.blocks(CONFIRMATIONS)
        await world.becomes(payment, "confirmed")

    world.play(main)


@pytest.mark.parametrize(
    ("gas", "data", "code"),
    [
        pytest.param("0x186a0", "0xdeadbeef", "0x6000", id="all-gas-used"),
        pytest.param("0x5208", "0x", "0x6000", id="transfer-to-code"),
    ],
)
def test_an_old_receipt_that_could_be_a_failure_never_ends(gas: str, data: str, code: str) -> None:
    payment = old_payment(gas=gas, input=data)
    chain = chain_of(100)
    chain.code[SHOP] = code
    world = World(Node(chain))

    async def main() -> None:
        await world.track(payment)
        chain.mine(payment, receipt={**OLD, "gasUsed": gas})
        await world.blocks(4 * CONFIRMATIONS)
        mined = await world.becomes(payment, "mined")
        assert "status_unknown" in mined.flags
        reply = await world.get(f"/v1/transactions/{payment['hash']}")
        assert reply.status == 200
        assert "no status" in str(reply.content["why"])

    world.play(main)


def nothing(payment: Json) -> dict[str, Any]:
    """Return changes of a node that never has the receipt of a transaction."""

    def of_one(_params: list[Any], receipt: Any) -> Any:
        return None if receipt and receipt["transactionHash"] == payment["hash"] else receipt

    def of_block(params: list[Any], receipts: Any) -> Any:
        return receipts and [item for item in receipts if of_one(params, item)]

    return {"eth_getTransactionReceipt": of_one, "eth_getBlockReceipts": of_block}


@pytest.mark.parametrize("late", [False, True], ids=["mined-later", "mined-before"])
def test_receipt_missing_at_the_followed_node_is_fetched_from_others(late: bool) -> None:
    """With two other nodes, because an end needs two receipts."""
    payment = transaction("customer", 1)
    chain = chain_of(100)
    odd, good, third = Node(chain, "odd"), Node(chain, "good"), Node(chain, "third")
    odd.change = nothing(payment)
    world = World(odd, good, third)

    async def main() -> None:
        await world.reaches(chain)
        if not late:
            await world.track(payment)
        chain.mine(payment)
        await world.blocks(2)
        await world.track(payment)
        await world.blocks(CONFIRMATIONS)
        await world.becomes(payment, "confirmed")

    world.play(main)


def test_receipt_at_one_of_two_providers_ends_nothing_and_is_reported() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(100)
    odd, good = Node(chain, "odd"), Node(chain, "good")
    odd.change = nothing(payment)
    world = World(odd, good)

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        chain.mine(payment)
        await world.becomes(payment, "mined")
        await world.blocks(3 * CONFIRMATIONS)
        assert await world.ends(payment) == []
        ready = await world.get("/readyz")
        assert ready.status == 503
        assert "odd.test-1 lists it in block" in str(ready.content)

        odd.change = {}
        await world.blocks(2)
        await world.becomes(payment, "confirmed")
        assert (await world.get("/readyz")).status == 200

    world.play(main)


def test_receipt_in_block_receipts_is_enough() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(100)
    odd, good = Node(chain, "odd"), Node(chain, "good")
    odd.change = {"eth_getTransactionReceipt": nothing(payment)["eth_getTransactionReceipt"]}
    world = World(odd, good)

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        chain.mine(payment)
        await world.blocks(CONFIRMATIONS)
        await world.becomes(payment, "confirmed")

    world.play(main)


@pytest.mark.parametrize("index", [True, False], ids=["index", "no-index"])
def test_transaction_missing_at_the_followed_node_is_fetched_from_others(index: bool) -> None:
    """Its block is below the kept blocks, so no block that is applied contains it.

    Without its index, the node still has the block and all its receipts.
    """
    payment = transaction("customer", 1)
    chain = chain_of(20)
    chain.mine(payment)
    chain.grow(200)
    odd, good, third = Node(chain, "odd"), Node(chain, "good"), Node(chain, "third")
    odd.change = {**nothing(payment), "eth_getTransactionByHash": lambda _params, _item: None}
    if not index:
        del odd.change["eth_getBlockReceipts"]
    world = World(odd, good, *([third] if index else []))

    async def main() -> None:
        await world.blocks(100, seconds=2.0)
        await world.reaches(chain)
        await world.track(payment)
        await world.blocks(CONFIRMATIONS)
        await world.becomes(payment, "confirmed")

    world.play(main)


FEES = [
    pytest.param(
        10,
        "0x2",
        {"effectiveGasPrice": "0xf4240", "l1Fee": "0x2386f26fc10000"},
        10**16 + 21_000 * 1_000_000,
        "total",
        id="op-stack",
    ),
    pytest.param(
        8453,
        "0x2",
        {"effectiveGasPrice": "0xf4240", "l1Fee": "0x2386f26fc10000"},
        10**16 + 21_000 * 1_000_000,
        "total",
        id="base",
    ),
    pytest.param(
        1,
        "0x3",
        {"blobGasUsed": "0x20000", "blobGasPrice": "0x3b9aca00"},
        21_000 * 2_000_000_000 + 131_072 * 10**9,
        "total",
        id="blobs",
    ),
    pytest.param(
        42161,
        "0x2",
        {"gasUsed": "0x7a120", "gasUsedForL1": "0x61a80", "effectiveGasPrice": "0x989680"},
        500_000 * 10_000_000,
        "total",
        id="arbitrum",
    ),
    pytest.param(9_876_543, "0x2", {}, 21_000 * 2_000_000_000, "execution", id="unknown-chain"),
]


@pytest.mark.parametrize(("chain_id", "kind", "receipt", "fee", "scope"), FEES)
def test_fees_are_complete(chain_id: int, kind: str, receipt: Json, fee: int, scope: str) -> None:
    payment = transaction("customer", 1, kind=kind, chain_id=chain_id, gas="0xf4240")
    chain = chain_of(100, chain_id)
    world = World(Node(chain))

    async def main() -> None:
        await world.track(payment)
        chain.mine(payment, receipt=receipt)
        await world.blocks(CONFIRMATIONS)
        outcome = (await world.becomes(payment, "confirmed")).outcome
        assert outcome is not None
        # The scope by its name: older versions do not have it.
        assert (outcome.fee, getattr(outcome, "fee_scope", None)) == (fee, scope)

    world.play(main)


def without_status(params: list[Any], receipts: Any) -> Any:
    """Return receipts without a status."""
    if isinstance(receipts, list):
        return [without_status(params, item) for item in receipts]
    return receipts and {name: value for name, value in receipts.items() if name != "status"}


def flipped(params: list[Any], receipts: Any) -> Any:
    """Return receipts with the opposite status."""
    if isinstance(receipts, list):
        return [flipped(params, item) for item in receipts]
    return receipts and receipts | {"status": "0x0" if receipts["status"] == "0x1" else "0x1"}


def sending(change: Any) -> dict[str, Any]:
    """Return changes of a node that sends other receipts."""
    return {"eth_getTransactionReceipt": change, "eth_getBlockReceipts": change}


def test_status_missing_at_the_followed_node_is_fetched_from_others() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(100)
    odd, good = Node(chain, "odd"), Node(chain, "good")
    odd.change = sending(without_status)
    world = World(odd, good)

    async def main() -> None:
        await world.track(payment)
        chain.mine(payment, receipt={"status": "0x0"})
        await world.blocks(CONFIRMATIONS)
        await world.becomes(payment, "failed")

    world.play(main)


def test_later_status_from_another_node_still_counts() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(100)
    odd, other = Node(chain, "odd"), Node(chain, "other")
    odd.change = other.change = sending(without_status)
    world = World(odd, other)

    async def main() -> None:
        await world.track(payment)
        chain.mine(payment)
        await world.blocks(CONFIRMATIONS)
        assert await world.ends(payment) == []
        other.change = {}
        await world.blocks(2 * CONFIRMATIONS)
        await world.becomes(payment, "confirmed")

    world.play(main)


def test_an_end_is_held_back_when_one_of_two_receipts_contradicts_it() -> None:
    """Also if the provider of the outcome is no longer the followed one."""
    payment = transaction("customer", 1)
    chain = chain_of(100)
    odd, good = Node(chain, "odd"), Node(chain, "good")
    odd.change = sending(flipped)
    world = World(odd, good)

    async def main() -> None:
        await world.track(payment)
        chain.mine(payment)
        await world.blocks(2)
        odd.down = True
        await world.blocks(4)
        odd.down = False
        await world.blocks(3 * CONFIRMATIONS)
        assert await world.ends(payment) == []

    world.play(main)


def test_the_receipts_of_most_providers_decide() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(100)
    odd, good, third = Node(chain, "odd"), Node(chain, "good"), Node(chain, "third")
    odd.change = sending(flipped)
    world = World(odd, good, third)

    async def main() -> None:
        await world.track(payment)
        chain.mine(payment)
        await world.blocks(3 * CONFIRMATIONS)
        await world.becomes(payment, "confirmed")
        assert await world.ends(payment) == ["confirmed"]

    world.play(main)
