"""Labels, forms of pending transactions, and node farms (rules 11.9, 11.11 and 11.12)."""

import asyncio
import random

import pytest

from .chain import ZERO_HASH, Json, address, digest, transaction
from .node import Node
from .world import CONFIRMATIONS, World, chain_of


def blobs(*names: str, fee: str = "0x77359400") -> Json:
    """Return a transaction that carries blobs."""
    hashes = [digest(name) for name in names]
    return transaction("roll-up", 1, kind="0x3", blobVersionedHashes=hashes, maxFeePerGas=fee)


def delegation(*targets: str, **fields: object) -> Json:
    """Return a transaction that sets code."""
    signed = {"chainId": "0x1", "nonce": "0x2", "yParity": "0x1", "r": "0x7", "s": "0x8"}
    listed = [signed | {"address": address(target)} for target in targets]
    return transaction("roll-up", 1, kind="0x4", authorizationList=listed, **fields)


TO_SELF = {"to": address("roll-up"), "value": "0x0"}
LABELS = [
    pytest.param(blobs("a"), blobs("b"), "replaced", id="other-blobs"),
    pytest.param(blobs("a"), blobs("a", fee="0x87359400"), "repriced", id="same-blobs"),
    pytest.param(delegation("a"), delegation("b"), "replaced", id="other-authorizations"),
    pytest.param(
        delegation("a"), delegation("a", maxFeePerGas="0x1"), "repriced", id="same-authorizations"
    ),
    pytest.param(
        transaction("roll-up", 1), delegation("a", **TO_SELF), "replaced", id="self-delegation"
    ),
    pytest.param(
        transaction("roll-up", 1), transaction("roll-up", 1, **TO_SELF), "cancelled", id="cancelled"
    ),
]


@pytest.mark.parametrize(("payment", "winner", "reason"), LABELS)
def test_replacement_is_labelled_by_its_whole_content(
    payment: Json, winner: Json, reason: str
) -> None:
    chain = chain_of(100)
    world = World(Node(chain))

    async def main() -> None:
        chain.wait(payment)
        await world.track(payment)
        await world.becomes(payment, "pending")
        chain.mine(winner)
        chain.pool.clear()
        await world.blocks(CONFIRMATIONS)
        assert (await world.becomes(payment, "replaced")).reason == reason

    world.play(main)


@pytest.mark.parametrize(
    ("block_hash", "number"),
    [("0x", "0x"), ("0x", None), (ZERO_HASH, None), (ZERO_HASH, "0x0"), (None, "0x"), (None, None)],
)
def test_each_form_of_pending_is_pending(block_hash: str | None, number: str | None) -> None:
    payment = transaction("customer", 1, blockHash=block_hash, blockNumber=number)
    chain = chain_of(100)
    world = World(Node(chain))

    async def main() -> None:
        chain.wait(payment)
        await world.track(payment)
        await world.becomes(payment, "pending")
        chain.mine(payment)
        await world.blocks(CONFIRMATIONS)
        await world.becomes(payment, "confirmed")

    world.play(main)


@pytest.mark.parametrize("seed", range(3))
def test_address_with_nodes_of_different_heights_undoes_nothing(seed: int) -> None:
    payments = [transaction(f"customer {number}", 1) for number in range(12)]
    chain = chain_of(100)
    node = Node(chain)
    world = World(node)
    chance = random.Random(seed)
    behind = [0]

    def height() -> int:
        return chain.head.number - behind[0]

    def answer(body: bytes) -> tuple[int, bytes]:
        behind[0] = chance.choice([0, 4])  # which node of the farm answers this request
        return Node.answer(node, body)

    node.height = height
    node.answer = answer  # type: ignore[method-assign]

    async def main() -> None:
        await world.track(*payments)
        for payment in payments:
            chain.mine(payment)
            await asyncio.sleep(12.0)
        await world.blocks(CONFIRMATIONS + 6)
        for payment in payments:
            await world.becomes(payment, "confirmed")
            history = await world.history(payment)
            assert "pending" not in history[history.index("mined") :], history

    world.play(main, seed)


@pytest.mark.parametrize("low", [True, False])
def test_low_gas_price_with_an_empty_maximum_fee_is_underpriced(low: bool) -> None:
    price = "0x1" if low else "0x77359400"
    payment = transaction("customer", 1, kind="0x0", gasPrice=price, maxFeePerGas=None)
    chain = chain_of(100)
    world = World(Node(chain))

    async def main() -> None:
        chain.wait(payment)
        await world.track(payment)
        pending = await world.becomes(payment, "pending")
        assert ("underpriced" in pending.flags) is low

    world.play(main)
