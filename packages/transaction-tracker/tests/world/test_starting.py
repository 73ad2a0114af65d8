"""Nodes that differ from most, and nodes on another chain (rule 11.9)."""

from pathlib import Path
from typing import Any

import pytest

from transaction_tracker.store import Store

from .chain import Chain, transaction
from .node import Node, Refusal, RpcError
from .world import CONFIRMATIONS, World, chain_of

JSONRPSEE = {"code": -32005, "message": "Batched requests are not supported by this server"}
TOO_LARGE = {"code": -32010, "message": "The batch request was too large"}
REFUSALS = {
    "jsonrpsee": Refusal(200, {"jsonrpc": "2.0", "id": None, "error": JSONRPSEE}),
    "jsonrpsee-limit": Refusal(200, {"jsonrpc": "2.0", "id": None, "error": TOO_LARGE}, limit=2),
    "invalid-request": Refusal(
        200, {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "no batches"}}
    ),
    "internal-error": Refusal(
        200, {"jsonrpc": "2.0", "id": None, "error": {"code": -32603, "message": "batch"}}
    ),
    "list-of-one-error": Refusal(200, [{"jsonrpc": "2.0", "id": None, "error": JSONRPSEE}]),
    "object-for-a-list": Refusal(200, {"jsonrpc": "2.0", "id": 0, "result": "0x1"}),
    "http-400": Refusal(400),
    "http-403": Refusal(403),
    "http-405": Refusal(405),
    "http-413": Refusal(413),
    "http-413-limit": Refusal(413, limit=5),
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=[*REFUSALS])
def test_refused_batches_become_single_calls(refusal: Refusal) -> None:
    payment = transaction("customer", 1)
    chain = chain_of(100)
    node = Node(chain)
    node.refusal = refusal
    world = World(node)

    async def main() -> None:
        await world.track(payment)
        chain.mine(payment)
        await world.blocks(CONFIRMATIONS)
        await world.becomes(payment, "confirmed")

    world.play(main)


@pytest.mark.parametrize("refused", [False, True], ids=["batches", "no-batches"])
def test_a_block_costs_at_most_four_requests(refused: bool) -> None:
    waiting = [transaction(f"customer {number}", 1) for number in range(60)]
    chain = chain_of(100)
    chain.wait(*waiting)
    node = Node(chain)
    node.refusal = REFUSALS["invalid-request"] if refused else None
    world = World(node)

    async def main() -> None:
        await world.track(*waiting)
        await world.blocks(40)
        before = node.requests
        await world.blocks(100)
        assert node.requests - before <= 4 * 100
        await world.reaches(chain)

    world.play(main)


@pytest.mark.parametrize("error", [None, RpcError(4444, "pruned history unavailable")])
def test_a_node_without_block_0_is_followed(error: RpcError | None) -> None:
    payment = transaction("customer", 1, chain_id=56)
    chain = chain_of(300, 56)
    node = Node(chain)
    node.oldest = 100
    world = World(node)

    def pruned(_params: list[Any], block: Any) -> Any:
        if block is None and error is not None:
            raise error
        return block

    node.change = {"eth_getBlockByNumber": pruned}

    async def main() -> None:
        await world.track(payment)
        chain.mine(payment)
        await world.blocks(CONFIRMATIONS)
        await world.becomes(payment, "confirmed")

    world.play(main)


def test_another_first_block_after_a_restart_is_refused(tmp_path: Path) -> None:
    """The chain has the same id: a restarted development chain, or a wrong URL."""
    payment = transaction("customer", 1)
    chain = chain_of(100)
    other = Chain(chain.id, "another")
    other.grow(150)
    node = Node(chain)
    world = World(node, database=tmp_path / "world.db")

    async def main() -> None:
        await world.start()
        await world.track(payment)
        chain.mine(payment)
        await world.blocks(CONFIRMATIONS)
        await world.becomes(payment, "confirmed")
        await world.stop()
        events = list(world.events)

        node.chain = other
        refusal = await world.try_start()
        if world.app is not None:
            await world.blocks(10, other)
        assert refusal is not None, await world.history(payment)
        assert chain.blocks[0].hash in refusal
        assert other.blocks[0].hash in refusal

        node.chain = chain
        await world.start()
        await world.blocks(2, chain)
        assert await world.ends(payment) == ["confirmed"]
        assert "finality_violation" not in (await world.status(payment)).flags
        assert await Store.frozen() is None
        assert world.events == events
        await world.stop()

    world.simulate(main)
