"""A transaction expires at its deadline, not at its next look-up."""

import asyncio
from pathlib import Path
from typing import Any

from .chain import transaction
from .clock import unix_time
from .node import Node, RpcError
from .world import CONFIRMATIONS, World, chain_of

LENGTH = 200
# By then, pending transactions are looked up every 300 seconds only. The deadlines are so far apart
# that most of them pass long before the next look-up.
FIRST_SECONDS = 1_500.0
STEP_SECONDS = 50.0
PAYMENTS = [transaction("customer", nonce) for nonce in range(6)]
# Some polls, and the second look-up that a single provider needs.
PROMPT_SECONDS = 25.0


async def track_all(world: World) -> None:
    """Track the payments, each with a later deadline than the one before."""
    world.nodes[0].chain.wait(*PAYMENTS)
    for index, payment in enumerate(PAYMENTS):
        deadline = unix_time() + FIRST_SECONDS + index * STEP_SECONDS
        await world.track(payment, deadline=deadline)


async def states(world: World) -> list[str]:
    return [(await world.status(payment)).state for payment in PAYMENTS]


async def expire_in_time(world: World) -> None:
    """Check that each payment expires soon after its deadline, and not before."""
    for index in range(len(PAYMENTS)):
        deadline = (await world.status(PAYMENTS[index])).deadline
        assert deadline is not None
        await asyncio.sleep(deadline - unix_time() - 1.0)
        assert (await states(world))[index:] == ["pending"] * (len(PAYMENTS) - index)
        await world.becomes(PAYMENTS[index], "expired", within=PROMPT_SECONDS)


def test_each_transaction_expires_at_its_deadline() -> None:
    world = World(Node(chain_of(LENGTH)), poll_interval=5.0)

    async def main() -> None:
        await track_all(world)
        await expire_in_time(world)

    world.play(main)


def test_deadlines_are_kept_over_a_restart(tmp_path: Path) -> None:
    world = World(Node(chain_of(LENGTH)), database=tmp_path / "test.db", poll_interval=5.0)

    async def main() -> None:
        await world.start()
        await track_all(world)
        await asyncio.sleep(10.0)
        await world.stop()

        await world.start()
        await expire_in_time(world)

    world.simulate(main)


def test_deadline_that_passes_during_errors_is_handled_later() -> None:
    """The node always sends its head, but temporarily nothing about single transactions."""
    node = Node(chain_of(LENGTH))
    world = World(node, poll_interval=5.0)

    def refuse(_params: list[Any], _result: Any) -> Any:
        raise RpcError(-32000, "busy")

    async def main() -> None:
        await track_all(world)
        await asyncio.sleep(FIRST_SECONDS - 5.0)
        node.change["eth_getTransactionByHash"] = refuse
        await asyncio.sleep((len(PAYMENTS) + 1) * STEP_SECONDS)
        assert await states(world) == ["pending"] * len(PAYMENTS)

        node.change.clear()
        limit = unix_time() + 60.0
        for payment in PAYMENTS:
            await world.becomes(payment, "expired", within=limit - unix_time())

    world.play(main)


def test_a_transaction_in_a_block_does_not_expire() -> None:
    chain, payment = chain_of(LENGTH), transaction("another", 0)
    world = World(Node(chain))

    async def main() -> None:
        await world.track(payment, deadline=unix_time() + 60.0)
        chain.mine(payment)
        await world.becomes(payment, "mined", within=30.0)
        await asyncio.sleep(120.0)
        assert (await world.status(payment)).state == "mined"

        await world.blocks(CONFIRMATIONS)
        await world.becomes(payment, "confirmed")

    world.play(main)


def test_a_deadline_that_passed_while_the_program_was_down_counts_unless_a_block_came_first(
    tmp_path: Path,
) -> None:
    chain, late, mined = chain_of(LENGTH), transaction("another", 0), transaction("customer", 0)
    world = World(Node(chain), database=tmp_path / "test.db")

    async def main() -> None:
        await world.start()
        await world.blocks(2)
        chain.wait(late, mined)
        await world.track(late, mined, deadline=unix_time() + 60.0)
        await world.becomes(late, "pending", within=30.0)
        await world.becomes(mined, "pending", within=30.0)
        await world.stop()

        chain.mine(mined)
        await world.blocks(CONFIRMATIONS)
        await world.start()
        await world.becomes(late, "expired")
        await world.becomes(mined, "confirmed")

    world.simulate(main)
