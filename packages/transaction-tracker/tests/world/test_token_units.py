"""Decimals of tokens: asked for beside the chain, which never waits for them."""

from collections.abc import Callable
from typing import Any

import pytest

from .chain import Json, transaction, word
from .node import Node, RpcError
from .test_details import TOKEN, shown, transfer_log
from .world import CONFIRMATIONS, World, chain_of

DECIMALS = f"0x{word(6)}"
SYMBOL = f"0x{word(32)}{word(4)}{b'USDC'.hex():0<64}"


def good(params: list[Any], _found: Any) -> str:
    return DECIMALS if params[0]["data"] == "0x313ce567" else SYMBOL


def failing(_params: list[Any], _found: Any) -> str:
    raise RpcError(3, "execution reverted")


def payment(nonce: int = 7) -> Json:
    return transaction("customer", nonce, to=TOKEN, value="0x0")


async def units(world: World, item: Json) -> list[tuple[object, object]]:
    """Return the decimals and symbols of a transaction's transfers."""
    transfers = (await shown(world, item))["details"]["transfers"]
    return [(each["decimals"], each["symbol"]) for each in transfers]


async def told(world: World, item: Json) -> dict[str, object]:
    """Return the decimals in the last event of each state."""
    history = (await shown(world, item))["history"]
    return {
        event["state"]: event["details"]["transfers"][0]["decimals"]
        for event in history
        if event["details"] and event["details"]["transfers"]
    }


def test_decimals_are_told_from_the_event_on_at_which_they_are_known() -> None:
    chain = chain_of(100)
    nodes = [Node(chain, "one"), Node(chain, "two")]
    for node in nodes:
        node.change["eth_call"] = good
    world = World(*nodes)
    first, second = payment(), payment(8)

    async def main() -> None:
        await world.track(first, second)
        chain.mine(first, receipt={"logs": [transfer_log(5)]})
        await world.becomes(first, "mined")
        assert await told(world, first) == {"mined": None}
        await world.blocks(3)
        assert await units(world, first) == [(6, "USDC")]
        chain.mine(second, receipt={"logs": [transfer_log(5)]})
        await world.becomes(second, "mined")
        await world.blocks(CONFIRMATIONS)
        await world.becomes(first, "confirmed")
        assert await told(world, first) == {"mined": None, "confirmed": 6}
        assert (await told(world, second))["mined"] == 6
        assert [node.calls["eth_call"] for node in nodes] == [2, 2]

    world.play(main)


@pytest.mark.parametrize(
    "odd",
    [
        failing,
        lambda *_: "0x",
        lambda *_: {"no": "text"},
        lambda *_: f"0x{word(255)}",
        lambda *_: "0x" + "ff" * 500_000,
        lambda *_: None,
    ],
    ids=["error", "empty", "object", "too many", "long", "null"],
)
def test_bad_answer_stops_nothing(odd: Callable[[list[Any], Any], Any]) -> None:
    chain = chain_of(100)
    node = Node(chain, "one")
    node.change["eth_call"] = odd
    world = World(node)
    item = payment()

    async def main() -> None:
        await world.track(item)
        chain.mine(item, receipt={"logs": [transfer_log(5)]})
        await world.blocks(CONFIRMATIONS + 10)
        await world.becomes(item, "confirmed")
        assert await told(world, item) == {"mined": None, "confirmed": None}
        assert await units(world, item) == [(None, None)]
        assert world.app is not None
        assert world.app.pool is not None
        (status,) = world.app.pool.status()
        assert status.healthy
        assert node.calls["eth_call"] <= 8

    world.play(main)


def test_many_tokens_take_one_request_in_fifteen_seconds() -> None:
    chain = chain_of(100)
    node = Node(chain, "one")
    node.change["eth_call"] = good
    world = World(node)
    item = payment()

    async def main() -> None:
        await world.track(item)
        logs = [transfer_log(5, token=f"0x{number:040x}") for number in range(1, 61)]
        chain.mine(item, receipt={"logs": logs})
        await world.becomes(item, "mined")
        before = node.requests
        await world.blocks(10)
        # A poll each second, a block, and three requests about twenty tokens each.
        assert node.calls["eth_call"] == 120
        assert node.requests - before <= 10 * (12 + 4)
        assert {*await units(world, item)} == {(6, "USDC")}

    world.play(main)
