"""Tracking by sender and nonce: the transaction is whichever takes the slot."""

import time
from pathlib import Path

import pytest

from beamish import process
from transaction_tracker import Tracked, TransactionTracker
from transaction_tracker.store import Store
from transaction_tracker.tracker import FOLLOWER

from .chain import Chain, Json, transaction
from .node import Node, RpcError
from .world import CONFIRMATIONS, DROP_BLOCKS, World, chain_of

PAYMENT = transaction("customer", 5)
OTHER = transaction("customer", 5, value="0x7")
SLOT = f"{PAYMENT['from']}:5"
NAMED = {"hash": SLOT}  # as the helpers of the world name a transaction


def ready(length: int = 100) -> Chain:
    """Return a chain whose customer has used the nonces up to 4."""
    chain = chain_of(length)
    chain.mine(transaction("customer", 4))
    return chain


async def is_registered(world: World) -> None:
    tracked = await world.status(NAMED)
    assert (tracked.state, tracked.hash, tracked.slots) == ("registered", None, (SLOT,))


async def ended(world: World, chain: Chain, winner: Json = PAYMENT) -> Tracked:
    await world.blocks(CONFIRMATIONS, chain)
    tracked = await world.becomes(NAMED, "confirmed")
    assert tracked.hash == winner["hash"]
    assert tracked.superseded_by is None
    return tracked


def test_transaction_that_takes_the_slot_is_followed_to_its_end() -> None:
    chain = ready()
    world = World(Node(chain), Node(chain, "two"))

    async def main() -> None:
        await world.track(NAMED)
        await world.blocks(2 * DROP_BLOCKS)
        await is_registered(world)
        chain.mine(PAYMENT)
        tracked = await world.becomes(NAMED, "mined")
        assert tracked.hash == PAYMENT["hash"]
        assert tracked.outcome is not None
        await ended(world, chain)
        assert await world.history(NAMED) == ["mined", "confirmed"]
        details = await TransactionTracker.details(SLOT)
        assert details.payment is not None
        assert details.payment.nonce == 5

    world.play(main)


def test_id_has_one_form() -> None:
    chain = ready()
    world = World(Node(chain))

    async def main() -> None:
        await TransactionTracker.start(SLOT.upper().replace("0X", "0x"))
        assert await Store.fetch(SLOT) is not None

    world.play(main)


def test_slot_and_hash_are_tracked_side_by_side() -> None:
    chain = ready()
    world = World(Node(chain), Node(chain, "two"))

    async def main() -> None:
        await world.track(NAMED, PAYMENT, OTHER)
        chain.mine(OTHER)
        await ended(world, chain, OTHER)
        await world.becomes(OTHER, "confirmed")
        # No node showed it, so its slot is unknown.
        assert (await world.status(PAYMENT)).state in ("missing", "dropped")

    world.play(main)


def test_slot_that_was_taken_before_is_found_in_the_kept_blocks() -> None:
    chain = ready()
    chain.mine(PAYMENT)
    world = World(Node(chain))

    async def main() -> None:
        chain.grow(2)
        await world.reaches(chain)
        chain.mine(transaction("customer", 6))
        await world.reaches(chain)
        await world.track(NAMED)
        await ended(world, chain)

    world.play(main)


@pytest.mark.parametrize("count", [1, 2])
def test_slot_that_was_taken_long_ago_is_searched_for(count: int) -> None:
    chain = ready(40)
    chain.mine(PAYMENT)
    chain.mine(transaction("customer", 6))
    chain.grow(250)
    world = World(*(Node(chain, name) for name in ("one", "two")[:count]))

    async def main() -> None:
        await world.reaches(chain)
        await world.track(NAMED)
        await world.blocks(8 * DROP_BLOCKS)
        tracked = await world.becomes(NAMED, "confirmed")
        assert tracked.hash == PAYMENT["hash"]
        assert await world.history(NAMED) == ["mined", "confirmed"]

    world.play(main)


def test_nonce_that_an_authorization_used_ends_dropped() -> None:
    chain = ready()
    world = World(Node(chain), Node(chain, "two"))

    async def main() -> None:
        await world.track(NAMED)
        chain.mine(transaction("sponsor", 1, kind="0x4"), authorities=[PAYMENT["from"]])
        await world.blocks(6 * DROP_BLOCKS)
        tracked = await world.becomes(NAMED, "dropped")
        assert tracked.reason == "nonce-used"

    world.play(main)


def test_one_provider_alone_does_not_say_that_a_slot_is_used() -> None:
    chain = ready()
    liar = Node(chain)
    liar.change = {"eth_getTransactionCount": lambda _params, _result: "0x63"}
    world = World(liar, Node(chain, "two"), Node(chain, "three"))

    async def main() -> None:
        await world.track(NAMED)
        await world.blocks(6 * DROP_BLOCKS)
        assert await world.ends(NAMED) == []
        liar.change = {}
        chain.mine(PAYMENT)
        await ended(world, chain)

    world.play(main)


def test_other_transaction_after_a_reorganisation_is_followed() -> None:
    chain = ready()
    node = Node(chain)
    world = World(node)

    async def main() -> None:
        await world.reaches(chain)
        fork = chain.fork(chain.head.number, "fork")
        await world.track(NAMED)
        chain.mine(PAYMENT)
        await world.becomes(NAMED, "mined")
        fork.grow(2)
        node.chain = fork
        tracked = await world.becomes(NAMED, "pending")
        assert tracked.hash is None
        fork.mine(OTHER)
        await world.becomes(NAMED, "mined")
        await ended(world, fork, OTHER)

    world.play(main)


def test_free_slot_expires_at_its_deadline() -> None:
    chain = ready()
    chain.wait(PAYMENT)
    world = World(Node(chain), Node(chain, "two"))

    async def main() -> None:
        await world.track(NAMED, deadline=time.time() + 60.0)
        await world.blocks(10)
        await world.becomes(NAMED, "expired")

    world.play(main)


def test_used_slot_does_not_expire_at_its_deadline() -> None:
    chain = ready()
    world = World(Node(chain))

    async def main() -> None:
        await world.track(NAMED, deadline=time.time() + 60.0)
        chain.mine(PAYMENT)
        await world.blocks(4)
        assert (await world.status(NAMED)).state == "mined"
        await ended(world, chain)

    world.play(main)


def test_end_waits_for_the_agreement_of_two_providers() -> None:
    """A receipt of one provider alone makes no end, as for a hash."""
    chain = ready()
    liar = Node(chain)

    def reverted(_params: object, receipt: Json | None) -> Json | None:
        return None if receipt is None else receipt | {"status": "0x0"}

    liar.change = {
        "eth_getTransactionReceipt": reverted,
        "eth_getBlockReceipts": lambda params, found: [reverted(params, one) for one in found],
    }
    world = World(liar, Node(chain, "two"))

    async def main() -> None:
        await world.track(NAMED)
        chain.mine(PAYMENT)
        await world.blocks(CONFIRMATIONS + 5)
        assert await world.ends(NAMED) == []
        liar.change = {}
        await world.blocks(CONFIRMATIONS)
        await world.becomes(NAMED, "confirmed")
        assert await world.ends(NAMED) == ["confirmed"]

    world.play(main)


def test_refused_nonces_are_reported_and_harm_nobody() -> None:
    chain = ready()
    node = Node(chain)

    def refuse(_params: object, _result: object) -> object:
        raise RpcError(-32601, "the method eth_getTransactionCount does not exist")

    node.change = {"eth_getTransactionCount": refuse}
    world = World(node)

    async def main() -> None:
        await world.track(NAMED)
        await world.blocks(4)
        chain.mine(PAYMENT)
        await ended(world, chain)

    world.play(main)


def test_slot_is_found_after_a_restart(tmp_path: Path) -> None:
    chain = ready()
    world = World(Node(chain), database=tmp_path / "slots.db")

    async def main() -> None:
        await world.start()
        await world.reaches(chain)
        await world.track(NAMED)
        await world.stop()
        chain.mine(PAYMENT)
        await world.start()
        tracked = await world.becomes(NAMED, "mined")
        assert tracked.hash == PAYMENT["hash"]
        await world.stop()
        await world.start()
        assert (await world.status(NAMED)).hash == PAYMENT["hash"]
        await ended(world, chain)

    world.simulate(main)


def test_follower_that_restarts_finds_the_slot() -> None:
    chain = ready()
    world = World(Node(chain))

    async def main() -> None:
        await world.track(NAMED)
        follower = process.whereis(FOLLOWER)
        assert follower is not None
        process.exit(follower, "kill")
        chain.mine(PAYMENT)
        await world.becomes(NAMED, "mined")

    world.play(main)
