"""Sender and nonce are a slot only where accounts number their transactions (rule 11.2)."""

import pytest

from .chain import ZERO_ADDRESS, Json, address, transaction
from .node import Node
from .world import CONFIRMATIONS, World, chain_of

TRON = 728126428
_DEPOSITOR = "0xdeaddeaddeaddeaddeaddeaddeaddeaddead0001"
_ARBOS = "0x00000000000000000000000000000000000a4b05"

# Chain id, type and sender of transactions whose nonce is not a slot.
SYSTEM = [
    pytest.param(137, "0x0", ZERO_ADDRESS, id="polygon-state-sync"),
    pytest.param(137, "0x7f", ZERO_ADDRESS, id="polygon-state-sync-typed"),
    pytest.param(42161, "0x64", address("bridge"), id="arbitrum-deposit"),
    pytest.param(42161, "0x65", address("bridge"), id="arbitrum-unsigned"),
    pytest.param(42161, "0x68", address("bridge"), id="arbitrum-retry"),
    pytest.param(42161, "0x69", address("bridge"), id="arbitrum-submit-retryable"),
    pytest.param(42161, "0x6a", _ARBOS, id="arbitrum-internal"),
    pytest.param(534352, "0x7e", address("relayer"), id="scroll-l1-message"),
    pytest.param(10, "0x7e", _DEPOSITOR, id="op-deposit"),
    pytest.param(324, "0xff", address("bridge"), id="zksync-priority"),
]


async def both_are_confirmed(world: World, first: Json, second: Json) -> None:
    """Mine two transactions with one sender and nonce; fail the test unless both are confirmed."""
    chain = world.nodes[0].chain
    await world.track(first, second)
    chain.mine(first)
    await world.blocks(3)
    chain.mine(second)
    await world.blocks(CONFIRMATIONS + 1)
    for payment in (first, second):
        await world.becomes(payment, "confirmed")
        assert "superseded" not in await world.history(payment)


@pytest.mark.parametrize(("chain_id", "kind", "sender"), SYSTEM)
def test_a_system_transaction_replaces_nothing(chain_id: int, kind: str, sender: str) -> None:
    fields = {"gasPrice": "0x0", "chain_id": chain_id, "kind": kind}
    first = transaction(sender, 0, value="0x1", **fields)  # type: ignore[arg-type]
    second = transaction(sender, 0, value="0x2", **fields)  # type: ignore[arg-type]
    world = World(Node(chain_of(100, chain_id)))

    world.play(lambda: both_are_confirmed(world, first, second))


def withdrawal(value: int) -> Json:
    """Return a transfer on Tron as its nodes send it: without account nonces."""
    found = transaction(
        "hot wallet", 0, kind="0x0", chain_id=TRON, value=hex(value), gasPrice="0x1a4"
    )
    return found | {"nonce": "0x0000000000000000"}


def test_two_withdrawals_of_one_tron_wallet_are_both_confirmed() -> None:
    world = World(Node(chain_of(100, TRON)))

    world.play(lambda: both_are_confirmed(world, withdrawal(1), withdrawal(2)))


def test_a_pending_tron_transaction_is_not_replaced_by_another_of_its_wallet() -> None:
    first, second = withdrawal(1), withdrawal(2)
    chain = chain_of(100, TRON)
    world = World(Node(chain))

    async def main() -> None:
        chain.wait(second)
        await world.track(second)
        await world.becomes(second, "pending")
        chain.mine(first)
        await world.blocks(CONFIRMATIONS + 2)
        assert await world.ends(second) == []
        chain.mine(second)
        await world.blocks(CONFIRMATIONS)
        await world.becomes(second, "confirmed")

    world.play(main)


def test_mined_transaction_on_an_unknown_chain_is_never_superseded() -> None:
    chain_id = 9_876_543
    first, second = (
        transaction("hot wallet", 0, kind="0x0", chain_id=chain_id, value=value)
        for value in ("0x1", "0x2")
    )
    world = World(Node(chain_of(100, chain_id)))

    world.play(lambda: both_are_confirmed(world, first, second))


@pytest.mark.parametrize("kind", ["0x0", "0x1", "0x2"])
def test_a_real_replacement_ends_replaced(kind: str) -> None:
    payment = transaction("customer", 7, kind=kind)
    winner = transaction("customer", 7, kind=kind, value="0x5")
    chain = chain_of(100)
    chain.mine(transaction("customer", 6))
    world = World(Node(chain))

    async def main() -> None:
        chain.wait(payment)
        await world.track(payment)
        await world.becomes(payment, "pending")
        chain.mine(winner)
        chain.pool.clear()
        await world.blocks(CONFIRMATIONS)
        replaced = await world.becomes(payment, "replaced")
        assert replaced.superseded_by == winner["hash"]

    world.play(main)
