"""One malformed response never stops a chain (rule 11.3)."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from transaction_tracker import TransactionTracker

from .chain import Chain, Json, digest, transaction
from .node import Change, Node, RpcError
from .world import CONFIRMATIONS, World, chain_of

# Maximum time until a transaction is parked if no provider sends it correctly.
PARKED_SECONDS = 900.0


async def goes_on(world: World, chain: Chain) -> None:
    """Fail the test unless the head is applied and a new transaction is confirmed."""
    payment = transaction("another", 1, chain_id=chain.id)
    await world.track(payment)
    chain.mine(payment)
    await world.blocks(CONFIRMATIONS, chain)
    await world.reaches(chain)
    await world.becomes(payment, "confirmed")


def _foreign(**fields: object) -> Callable[[Chain], None]:
    """Return a function that mines a block with an untracked transaction."""
    return lambda chain: void(chain.mine({**transaction("stranger", 1), **fields}))


def _twice(chain: Chain) -> None:
    item = transaction("stranger", 1)
    chain.mine(item, item)


def void(_value: object) -> None:
    """Return nothing."""


ODD_BLOCKS = [
    pytest.param(_foreign(nonce=None), id="nonce-null"),
    pytest.param(_foreign(**{"from": None}), id="from-null"),
    pytest.param(_foreign(value=None), id="value-null"),
    pytest.param(_foreign(type=None), id="type-null"),
    pytest.param(_twice, id="hash-twice"),
    pytest.param(lambda chain: void(chain.mine(baseFeePerGas="0x")), id="base-fee-empty"),
    pytest.param(lambda chain: void(chain.mine(baseFeePerGas="")), id="base-fee-no-number"),
]


@pytest.mark.parametrize("mine", ODD_BLOCKS)
def test_malformed_field_of_an_untracked_transaction_stops_nothing(
    mine: Callable[[Chain], None],
) -> None:
    chain = chain_of(100)
    world = World(Node(chain))

    async def main() -> None:
        await world.reaches(chain)
        mine(chain)
        await asyncio.sleep(12.0)
        await world.reaches(chain)
        await goes_on(world, chain)

    world.play(main)


def test_malformed_base_fee_in_every_block_stops_nothing() -> None:
    chain = chain_of(100, baseFeePerGas="0x")
    payment = transaction("customer", 1)
    world = World(Node(chain))

    async def main() -> None:
        chain.mine(payment, baseFeePerGas="0x")
        await world.track(payment)
        await world.blocks(CONFIRMATIONS, baseFeePerGas="0x")
        await world.becomes(payment, "confirmed")

    world.play(main)


def test_hashes_in_place_of_transactions_are_fetched_in_another_way() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(100)
    node = Node(chain)
    world = World(node)

    def hashes(_params: list[Any], block: Any) -> Any:
        known = block and block["transactions"]
        return block and {**block, "transactions": [_hash_of(item) for item in known]}

    node.change = {"eth_getBlockByHash": hashes, "eth_getBlockByNumber": hashes}

    async def main() -> None:
        await world.track(payment)
        chain.mine(payment, transaction("stranger", 1))
        await world.blocks(CONFIRMATIONS)
        await world.becomes(payment, "confirmed")
        await goes_on(world, chain)

    world.play(main)


def _hash_of(item: Any) -> Any:
    return item["hash"] if isinstance(item, dict) else item


def other_block(_params: list[Any], receipt: Any) -> Any:
    """Return the receipt with a block that no node has."""
    return receipt and {**receipt, "blockHash": digest("another block")}


def _receipts_of(change: Change, payment: Json) -> dict[str, Change]:
    """Return changes to the receipt of one transaction, for each method."""

    def of_block(params: list[Any], receipts: Any) -> Any:
        return receipts and [of_one(params, item) for item in receipts]

    def of_one(params: list[Any], receipt: Any) -> Any:
        mine = receipt and receipt["transactionHash"] == payment["hash"]
        return change(params, receipt) if mine else receipt

    return {"eth_getTransactionReceipt": of_one, "eth_getBlockReceipts": of_block}


def test_receipt_in_another_block_is_fetched_from_another_provider() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(100)
    odd, good = Node(chain, "odd"), Node(chain, "good")
    odd.change = _receipts_of(other_block, payment)
    world = World(odd, good, Node(chain, "another"))  # an end needs two agreeing providers

    async def main() -> None:
        await world.track(payment)
        chain.mine(payment)
        await goes_on(world, chain)
        await world.becomes(payment, "confirmed")
        assert good.calls["eth_getTransactionReceipt"] + good.calls["eth_getBlockReceipts"] > 0

    world.play(main)


@pytest.mark.parametrize("providers", [1, 2])
def test_wrong_receipt_at_all_providers_parks_only_its_transaction(providers: int) -> None:
    payment = transaction("customer", 1)
    chain = chain_of(100)
    nodes = [Node(chain, f"n{place}") for place in range(providers)]
    for node in nodes:
        node.change = _receipts_of(other_block, payment)
    world = World(*nodes)

    async def main() -> None:
        await world.track(payment)
        chain.mine(payment)
        await goes_on(world, chain)
        assert await world.ends(payment) == []

        async def is_parked() -> bool:
            return (await world.status(payment)).error is not None

        for _ in range(int(PARKED_SECONDS / 12)):
            await world.blocks(1)
            if await is_parked():
                break
        error = (await world.status(payment)).error
        assert error is not None
        assert "receipt" in error
        assert TransactionTracker.lookup(payment["hash"]) is None
        assert await world.ends(payment) == []
        await world.reaches(chain)

    world.play(main)


@pytest.mark.parametrize("chain_id", [25, 50, 42161])
@pytest.mark.parametrize("shown", ["first", "last"])
def test_a_hash_in_two_blocks_is_confirmed_once(chain_id: int, shown: str) -> None:
    """A node has one receipt per hash: from the first block, or from the last."""
    payment = transaction("customer", 1, chain_id=chain_id)
    chain = chain_of(100, chain_id)
    node = Node(chain)
    world = World(node)

    async def main() -> None:
        await world.track(payment)
        first = chain.mine(payment)
        if shown == "first":
            node.change = {
                "eth_getTransactionByHash": _always(payment, first.transactions[0]),
                "eth_getTransactionReceipt": _always(payment, first.receipts[0]),
            }
        await world.blocks(3)
        chain.mine(payment)
        await goes_on(world, chain)
        await world.blocks(4)
        confirmed = await world.becomes(payment, "confirmed")
        assert await world.ends(payment) == ["confirmed"]
        assert confirmed.anchor is not None
        assert confirmed.anchor.hash == first.hash

    world.play(main)


def _always(payment: Json, answer: Json) -> Change:
    """Return a change that always returns the same result for one transaction."""
    return lambda params, result: answer if params == [payment["hash"]] else result


@pytest.mark.parametrize("empty", ["error", "null", "previous"])
def test_numbers_without_a_block_are_skipped_on_filecoin(empty: str) -> None:
    payment = transaction("customer", 1, chain_id=314)
    chain = chain_of(100, 314)
    node = Node(chain)
    world = World(node)

    def by_number(params: list[Any], block: Any) -> Any:
        if block is None and empty == "error" and params[0].startswith("0x"):
            raise RpcError(12, f"requested epoch was a null round ({int(params[0], 16)})")
        if block is None and empty == "previous" and params[0].startswith("0x"):
            return node.result("eth_getBlockByNumber", [hex(int(params[0], 16) - 1), *params[1:]])
        return block

    node.change = {"eth_getBlockByNumber": by_number}

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        chain.mine(payment, skip=1)
        for skip in (0, 2, 1, 0, 3, 0, 1, 0, 0, 2, 0, 1, 0, 0):
            chain.mine(skip=skip)
            await asyncio.sleep(12.0)
        await world.reaches(chain)
        await world.becomes(payment, "confirmed")

    world.play(main)


def test_confirmations_count_numbers_without_a_block_as_filecoin_does() -> None:
    payment = transaction("customer", 1, chain_id=314)
    chain = chain_of(100, 314)
    world = World(Node(chain))

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        chain.mine(payment)
        chain.mine(skip=4)
        chain.mine(skip=CONFIRMATIONS - 8)
        await world.reaches(chain)
        await asyncio.sleep(60.0)
        assert await world.ends(payment) == []  # one number too few
        chain.mine()
        await world.reaches(chain)
        await world.becomes(payment, "confirmed")

    world.play(main)


def test_catching_up_handles_skipped_numbers() -> None:
    payment = transaction("customer", 1, chain_id=314)
    chain = chain_of(100, 314)
    world = World(Node(chain))

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        for number in range(150):
            chain.mine(*([payment] if number == 70 else []), skip=number % 3)
        await world.reaches(chain)
        await world.becomes(payment, "confirmed")

    world.play(main)


@pytest.mark.parametrize("chain_id", [747, 1329])
def test_wrong_parent_hash_does_not_stop_a_chain_without_parent_links(
    chain_id: int,
) -> None:
    payment = transaction("customer", 1, chain_id=chain_id)
    chain = chain_of(100, chain_id, parentHash=digest("elsewhere"))
    world = World(Node(chain))

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        chain.mine(payment, parentHash=digest("nowhere"))
        await world.blocks(CONFIRMATIONS, parentHash=digest("anywhere"))
        await world.reaches(chain)
        await world.becomes(payment, "confirmed")

    world.play(main)


@pytest.mark.parametrize("field", ["transactions", "number", "parentHash", "hash"])
def test_unreadable_block_is_fetched_from_the_other_provider(field: str) -> None:
    chain = chain_of(100)
    odd, good = Node(chain, "odd"), Node(chain, "good")
    world = World(odd, good)

    def spoiled(_params: list[Any], block: Any) -> Any:
        is_bad = block and int(block["number"], 16) == 101
        return {**block, field: {"odd": True}} if is_bad else block

    odd.change = {"eth_getBlockByHash": spoiled, "eth_getBlockByNumber": spoiled}

    async def main() -> None:
        await world.reaches(chain)
        await goes_on(world, chain)

    world.play(main)


def test_wrong_parent_from_the_followed_provider_stops_nothing() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(100)
    odd, good = Node(chain, "odd"), Node(chain, "good")
    world = World(odd, good)

    def with_another_parent(_params: list[Any], block: Any) -> Any:
        return block and block | {"parentHash": digest(f"not {block['parentHash']}")}

    async def main() -> None:
        await world.reaches(chain)
        methods = ("eth_getBlockByHash", "eth_getBlockByNumber")
        odd.change = dict.fromkeys(methods, with_another_parent)
        await world.track(payment)
        chain.mine(payment)
        await world.blocks(3)
        await world.reaches(chain, within=60.0)
        chain.grow(10)
        await world.reaches(chain, within=60.0)

    world.play(main)


@pytest.mark.parametrize("odd_first", [True, False])
def test_wrong_parents_from_one_provider_do_not_delay_an_old_payment(*, odd_first: bool) -> None:
    payment = transaction("customer", 1)
    chain = chain_of(100)
    chain.mine(payment)
    chain.grow(CONFIRMATIONS + 80)  # below the kept blocks
    odd, good = Node(chain, "odd"), Node(chain, "good")

    def other_parent(_params: list[Any], block: Json | None) -> Json | None:
        return block and block | {"parentHash": digest(f"not {block['parentHash']}")}

    odd.change["eth_getBlockByNumber"] = other_parent
    odd.change["eth_getBlockByHash"] = other_parent
    world = World(odd, good) if odd_first else World(good, odd)

    async def main() -> None:
        await world.track(payment)
        await world.becomes(payment, "confirmed")

    world.play(main)


@pytest.mark.parametrize(("every", "is_paused"), [(1, True), (2, False)])
def test_a_provider_that_names_wrong_parents_in_a_row_is_paused(
    every: int, is_paused: bool
) -> None:
    """Each such block is fetched from all providers, after a wait for its parent."""
    chain = chain_of(100)
    odd, good = Node(chain, "odd"), Node(chain, "good")
    world = World(odd, good)

    def with_another_parent(_params: list[Any], block: Any) -> Any:
        is_bad = block and int(block["number"], 16) % every == 0
        return block | {"parentHash": digest(f"not {block['parentHash']}")} if is_bad else block

    async def main() -> None:
        await world.reaches(chain)
        methods = ("eth_getBlockByHash", "eth_getBlockByNumber")
        odd.change = dict.fromkeys(methods, with_another_parent)
        await world.blocks(4 * every)
        await world.reaches(chain)
        assert world.app is not None
        assert world.app.pool is not None
        states = [status.state for status in world.app.pool.status()]
        assert states == (["paused", "active"] if is_paused else ["active", "healthy"])

    world.play(main)
