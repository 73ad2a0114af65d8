"""Outcomes of a block and an opinion on ends from the followed node, in one request."""

from dataclasses import replace
from typing import Any

import pytest

from transaction_tracker.domain import BlockRef, KeptChain, Link
from transaction_tracker.sources import ApplicationError, Ending, FetchedBlock, TransportError
from transaction_tracker.sources.ethereum import EthereumSource, decode
from transaction_tracker.sources.ethereum.profiles import UNKNOWN
from transaction_tracker.sources.ethereum.rpc import Request

from .rpc import FakeRpc, Node, hash_at, raw_block, receipt, transaction, tx_hash

CHAIN = KeptChain.of(20, [Link(n, hash_at(n), hash_at(n - 1)) for n in range(1, 20)])
TEN, FIVE = BlockRef(10, hash_at(10)), BlockRef(5, hash_at(5))
NEW, OLD = tx_hash(1), tx_hash(2)
ENDS = {OLD: Ending(FIVE, succeeded=True)}
RECEIPTS = {NEW: receipt(NEW), OLD: receipt(OLD, 5)}


def knowing(receipts: dict[str, Any], block_receipts: Any = None) -> Node:
    def answer(request: Request) -> Any:
        if request.method == "eth_getBlockReceipts":
            return block_receipts
        return receipts.get(str(request.params[0]))

    return answer


def block_with(*keys: str) -> FetchedBlock:
    body = [transaction(key, nonce) for nonce, key in enumerate(keys)]
    return decode.block(raw_block(10, *body), UNKNOWN)


def source_of(*nodes: Node, calls_per_request: int = 1_000) -> tuple[EthereumSource, FakeRpc]:
    rpc = FakeRpc(*nodes, calls_per_request=calls_per_request)
    return EthereumSource(rpc, 1), rpc  # type: ignore[arg-type]


async def test_receipts_and_opinions_of_the_followed_node_take_one_request() -> None:
    source, rpc = source_of(knowing(RECEIPTS), knowing(RECEIPTS))

    prefetched = await source.prefetch(block_with(NEW), [NEW], ENDS)
    objections = await source.objections(CHAIN, ENDS, prefetched.opinion)

    outcome = prefetched.outcomes[NEW]
    assert (objections, getattr(outcome, "succeeded", None)) == ({}, True)
    assert [[request.params[0] for request in requests] for requests in rpc.batches] == [[NEW, OLD]]
    assert [request.params[0] for request in rpc.others] == [OLD]


async def test_other_nodes_still_object() -> None:
    contradicting = RECEIPTS | {OLD: receipt(OLD, 5, status="0x0")}
    source, _ = source_of(knowing(RECEIPTS), knowing(contradicting))

    prefetched = await source.prefetch(block_with(NEW), [NEW], ENDS)

    assert list(await source.objections(CHAIN, ENDS, prefetched.opinion)) == [OLD]


@pytest.mark.parametrize(
    "told", [None, TransportError("cut off"), receipt(NEW, 9), receipt(OLD), {"status": "0x7"}]
)
async def test_uncertain_outcome_is_not_prefetched(told: Any) -> None:
    source, _ = source_of(knowing(RECEIPTS | {NEW: told}), knowing({}))

    assert (await source.prefetch(block_with(NEW), [NEW], ENDS)).outcomes == {}


async def test_wrong_receipt_in_block_receipts_is_not_prefetched() -> None:
    keys = [tx_hash(number) for number in range(3)]
    of_block = [receipt(keys[0]), receipt(keys[1], 9), receipt(tx_hash(9))]
    source, _ = source_of(knowing({}, of_block), knowing({}), calls_per_request=2)

    prefetched = await source.prefetch(block_with(*keys), keys, {})

    assert list(prefetched.outcomes) == [keys[0]]


async def test_node_without_block_receipts_gets_one_request_for_them() -> None:
    keys = [tx_hash(number) for number in range(3)]
    refused = ApplicationError("the method does not exist", -32601)
    source, rpc = source_of(knowing({}, refused), knowing({}), calls_per_request=2)

    for _ in range(3):
        await source.prefetch(block_with(*keys), keys, {})

    assert rpc.asked["eth_getBlockReceipts"] == 1


async def test_nothing_is_prefetched_from_a_single_node() -> None:
    source, rpc = source_of(knowing(RECEIPTS))

    prefetched = await source.prefetch(block_with(NEW), [NEW], ENDS)

    assert (prefetched.outcomes, rpc.batches) == ({}, [])


@pytest.mark.parametrize("liar", [0, 1])
async def test_each_node_is_asked_for_the_winner_of_a_slot(liar: int) -> None:
    winner = transaction(NEW, 7) | {"blockHash": TEN.hash, "blockNumber": "0xa"}
    slot = f"{winner['from']}:7"
    end = Ending(TEN, None, NEW, slot)
    nodes: list[Node] = [lambda _request: winner, lambda _request: winner]
    nodes[liar] = lambda _request: winner | {"nonce": "0x8"}
    source, _ = source_of(*nodes)

    prefetched = await source.prefetch(block_with(), [], {OLD: end})
    objections = await source.objections(CHAIN, {OLD: end}, prefetched.opinion)

    assert [objection.contradicts for objection in objections.values()] == [True]
    agreeing = {OLD: replace(end, slots=(f"{winner['from']}:8",))}
    assert list(await source.objections(CHAIN, agreeing)) == [OLD]
