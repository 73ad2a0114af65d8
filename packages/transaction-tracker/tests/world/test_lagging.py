"""A provider that is some blocks behind prevents no end and undoes nothing (rule 11.11)."""

import asyncio
from typing import Any

import pytest

from .chain import transaction
from .node import Node
from .world import BLOCK_SECONDS, PATIENCE, World, chain_of

LENGTH = 200
DEADLINE_SECONDS = 100.0


@pytest.mark.parametrize(
    ("end", "lag"),
    [
        ("dropped", 3),
        ("expired", 1),
        ("invalid", 10),
        *(
            pytest.param(end, lag, marks=pytest.mark.full)
            for end, lags in (("dropped", (1, 10)), ("expired", (3, 10)), ("invalid", (1, 3)))
            for lag in lags
        ),
    ],
)
def test_a_provider_that_is_always_behind_stops_no_end(end: str, lag: int) -> None:
    fields = {"chainId": "0x5"} if end == "invalid" else {}
    payment = transaction("customer", 1, **fields)
    chain = chain_of(LENGTH)
    good, slow = Node(chain, "good"), Node(chain, "slow")
    slow.height = lambda: chain.head.number - lag
    expires_after = DEADLINE_SECONDS if end == "expired" else None
    world = World(good, slow, expires_after=expires_after)

    async def main() -> None:
        await world.reaches(chain)
        if end != "dropped":
            chain.wait(payment)
        await world.track(payment)
        await world.blocks(40)
        assert await world.ends(payment) == [end]

    world.play(main)


def test_transaction_in_a_block_that_only_we_know_does_not_expire() -> None:
    """The followed node has lost its index, and the other node has not reached the block yet."""
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    forgetful, slow = Node(chain, "forgetful"), Node(chain, "slow")
    slow.height = lambda: chain.head.number - 30
    for method in ("eth_getTransactionByHash", "eth_getTransactionReceipt", "eth_getBlockReceipts"):
        forgetful.change[method] = lambda _params, _result: None
    world = World(forgetful, slow, expires_after=DEADLINE_SECONDS)

    async def main() -> None:
        await world.reaches(chain)
        await world.blocks(40)
        await world.track(payment)
        chain.mine(payment)
        await world.blocks(20)
        assert await world.ends(payment) == []

    world.play(main)


@pytest.mark.parametrize("others", [1, 2])
def test_single_provider_without_our_last_blocks_undoes_nothing(others: int) -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    slow = Node(chain, "slow")
    missing = [0]
    slow.height = lambda: chain.head.number - missing[0]
    world = World(slow, *(Node(chain, f"good-{number}") for number in range(others)))

    async def main() -> None:
        await world.blocks(5)
        await world.track(payment)
        chain.mine(payment)
        await world.becomes(payment, "mined")
        before = await world.history(payment)
        missing[0] = 2
        await asyncio.sleep(600.0)  # no new block shows which provider is right
        assert await world.history(payment) == before
        assert world.tip_hash == chain.head.hash

    world.play(main)


def test_only_provider_without_our_last_blocks_undoes_them() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    node = Node(chain)
    missing = [0]
    node.height = lambda: chain.head.number - missing[0]
    world = World(node)

    async def main() -> None:
        await world.blocks(5)  # a head below the kept blocks would prove nothing
        await world.track(payment)
        chain.mine(payment)
        await world.becomes(payment, "mined")
        missing[0] = 2
        await world.becomes(payment, "missing")

    world.play(main)


def test_only_provider_that_lags_for_less_than_two_blocks_undoes_nothing() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    node = Node(chain)
    missing = [0]
    node.height = lambda: chain.head.number - missing[0]
    world = World(node, poll_interval=1.0)

    async def main() -> None:
        await world.blocks(5)
        await world.track(payment)
        chain.mine(payment)
        await world.becomes(payment, "mined")
        before = await world.history(payment)
        missing[0] = 2
        asked = node.requests
        await asyncio.sleep(1.5 * BLOCK_SECONDS)
        assert node.requests > asked + 3  # the low head was seen more than once
        missing[0] = 0
        await asyncio.sleep(4 * BLOCK_SECONDS)
        assert await world.history(payment) == before

    world.play(main)


@pytest.mark.parametrize(("polls", "is_believed"), [(2, False), (3, True)])
def test_a_lower_head_of_another_branch_is_believed_when_it_is_seen_three_times(
    polls: int, is_believed: bool
) -> None:
    """For example, the address switches to a node that still has the former branch."""
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    node = Node(chain)
    left = [0]
    world = World(node)

    async def main() -> None:
        await world.blocks(5)
        await world.track(payment)
        other = chain.fork(chain.head.number - 2, "other")
        other.mine()
        chain.mine(payment)
        await world.becomes(payment, "mined")
        before = await world.history(payment)

        def latest(params: list[Any], result: Any) -> Any:
            if params[0] != "latest" or not left[0]:
                return result
            left[0] -= 1
            return {"transactions": [], **other.head.header}

        node.change["eth_getBlockByNumber"] = latest
        node.change["eth_getBlockByHash"] = lambda params, result: (
            result
            or next(
                (
                    {"transactions": [], **block.header}
                    for block in other.blocks
                    if block.hash == params[0]
                ),
                None,
            )
        )
        left[0] = polls
        await asyncio.sleep(4 * BLOCK_SECONDS)

        assert left[0] == 0
        assert (await world.history(payment) != before) == is_believed

    world.play(main)


def test_a_provider_that_stays_behind_is_not_followed() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    stuck = Node(chain, "stuck")
    stuck.height = lambda: LENGTH
    world = World(stuck, Node(chain, "good"))

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        chain.mine(payment)
        await world.becomes(payment, "mined", within=PATIENCE)
        await asyncio.sleep(120.0)
        assert (await world.status(payment)).state == "mined"
        assert world.tip_hash == chain.head.hash

    world.play(main)


def test_an_only_provider_that_is_always_behind_can_say_that_it_has_no_transaction() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    node = Node(chain)
    # The address has several nodes behind it: another node sends the head.
    node.change["eth_blockNumber"] = lambda _params, height: hex(int(height, 16) - 2)
    world = World(node)

    async def main() -> None:
        await world.blocks(5)
        await world.track(payment)
        await world.becomes(payment, "missing")

    world.play(main)


def test_transaction_in_our_last_block_is_not_missing_at_a_lagging_provider() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    node = Node(chain)
    world = World(node)

    async def main() -> None:
        await world.blocks(5)
        chain.mine(payment)
        await world.reaches(chain)
        node.change["eth_blockNumber"] = lambda _params, height: hex(int(height, 16) - 1)
        for method in ("eth_getTransactionByHash", "eth_getTransactionReceipt"):
            node.change[method] = lambda _params, _result: None
        await world.track(payment)
        await world.blocks(3)
        assert "missing" not in await world.history(payment)
        node.change.clear()
        await world.becomes(payment, "mined")

    world.play(main)
