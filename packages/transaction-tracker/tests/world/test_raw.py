"""Tracking a raw signed transaction, whose hash, slot and details are known at once."""

from typing import Any

import pytest

from transaction_tracker import EthereumSource, TransactionTracker
from transaction_tracker.store import Store

from ..signing import SENDER, legacy  # noqa: TID252
from .chain import Chain, Json, transaction
from .node import Node
from .world import CONFIRMATIONS, DROP_BLOCKS, World, chain_of

SHOP = "0x" + "35" * 20
RAW = legacy(5, SHOP, 7)


def shown(raw: str, value: str = "0x7", to: str = SHOP) -> Json:
    """Return a raw transaction as nodes show it."""
    known = EthereumSource("http://127.0.0.1:1", 1).signed(raw)
    return transaction(SENDER, 5, kind="0x0", value=value, to=to, hash=known.id)


PAYMENT = shown(RAW)


def ready() -> Chain:
    """Return a chain whose sender has used the nonces up to 4."""
    chain = chain_of(100)
    chain.mine(transaction(SENDER, 4))
    return chain


async def track(raw: str = RAW, **options: Any) -> None:
    await TransactionTracker.start(raw=raw, **options)


def test_hash_slot_and_details_are_known_before_a_node_shows_it() -> None:
    chain = ready()
    world = World(Node(chain))

    async def main() -> None:
        await track(expect={"to": SHOP, "value": 7})
        tracked = await world.status(PAYMENT)
        assert (tracked.id, tracked.slots) == (PAYMENT["hash"], (f"{SENDER}:5",))
        details = await TransactionTracker.details(PAYMENT["hash"])
        assert details.payment is not None
        assert (details.payment.recipient, details.payment.value) == (SHOP, 7)
        reply = await world.get(f"/v1/transactions/{PAYMENT['hash']}")
        assert reply.content["expectation"]["matches"] is True
        assert reply.content["details"]["from"] == SENDER

    world.play(main)


def test_transaction_is_followed_like_any_other() -> None:
    chain = ready()
    world = World(Node(chain), Node(chain, "two"))

    async def main() -> None:
        await track()
        chain.wait(PAYMENT)
        await world.becomes(PAYMENT, "pending")
        chain.mine(PAYMENT)
        await world.blocks(CONFIRMATIONS)
        await world.becomes(PAYMENT, "confirmed")

    world.play(main)


@pytest.mark.parametrize(
    ("winner", "reason"),
    [
        (shown(legacy(5, SHOP, 7, data=b"x")) | {"input": "0x78"}, "replaced"),
        (transaction(SENDER, 5, kind="0x2", value="0x7", to=SHOP), "repriced"),
    ],
)
def test_transaction_that_no_node_ever_showed_ends_replaced(winner: Json, reason: str) -> None:
    chain = ready()
    world = World(Node(chain), Node(chain, "two"))

    async def main() -> None:
        await track()
        chain.mine(winner)
        await world.becomes(PAYMENT, "superseded")
        await world.blocks(CONFIRMATIONS)
        replaced = await world.becomes(PAYMENT, "replaced")
        assert (replaced.superseded_by, replaced.reason) == (winner["hash"], reason)

    world.play(main)


def test_transaction_that_nobody_has_ends_dropped() -> None:
    chain = ready()
    world = World(Node(chain), Node(chain, "two"))

    async def main() -> None:
        await track()
        await world.blocks(5 * DROP_BLOCKS)
        dropped = await world.becomes(PAYMENT, "dropped")
        assert dropped.reason is None

    world.play(main)


def test_slot_is_kept_when_it_is_registered_again() -> None:
    chain = ready()
    world = World(Node(chain))

    async def main() -> None:
        await track()
        await TransactionTracker.untrack(PAYMENT["hash"])
        await track()
        stored = await Store.fetch(PAYMENT["hash"])
        assert stored is not None
        assert (stored.state, stored.slots) == ("registered", (f"{SENDER}:5",))

    world.play(main)


def test_id_and_raw_exclude_each_other() -> None:
    world = World(Node(ready()))

    async def main() -> None:
        with pytest.raises(ValueError, match="either transaction or raw"):
            await TransactionTracker.start()
        with pytest.raises(ValueError, match="either transaction or raw"):
            await TransactionTracker.start(PAYMENT["hash"], raw=RAW)

    world.play(main)
