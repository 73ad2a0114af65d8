from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from transaction_tracker.domain import BlockRef, KeptChain, Link
from transaction_tracker.sources import (
    ApplicationError,
    MalformedError,
    NotYetError,
    RateLimitedError,
    SourceError,
    TransportError,
)
from transaction_tracker.sources.ethereum import retries
from transaction_tracker.sources.ethereum.blocks import MAX_BLOCKS_PER_REQUEST, Blocks
from transaction_tracker.sources.ethereum.context import ChainContext
from transaction_tracker.sources.ethereum.profiles import UNKNOWN
from transaction_tracker.sources.ethereum.rpc import Request

from .rpc import FakeRpc, Node, hash_at, raw_block, transaction, tx_hash

TEN = BlockRef(10, hash_at(10))
NULL_ROUND = ApplicationError("the node: requested epoch was a null round", 12)


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "NOT_YET_WAITS", (0.0, 0.0, 0.0))


def node_with(blocks: Mapping[int, Any]) -> Node:
    """Return a node with these blocks; it refuses a block that is an error here."""
    by_hash = {block["hash"]: block for block in blocks.values() if isinstance(block, dict)}

    def answer(request: Request) -> Any:
        match request.method:
            case "eth_getBlockByNumber":
                return blocks.get(int(str(request.params[0]), 16))
            case "eth_getBlockByHash":
                return by_hash.get(str(request.params[0]))
        return None

    return answer


def chain_to(head: int, **changes: Any) -> dict[int, Any]:
    blocks: dict[int, Any] = {number: raw_block(number) for number in range(head + 1)}
    return blocks | {int(name[1:]): block for name, block in changes.items()}


def reader(rpc: FakeRpc, **profile: Any) -> Blocks:
    return Blocks(rpc, ChainContext(1, replace(UNKNOWN, **profile)))  # type: ignore[arg-type]


def numbers(blocks: list[Any]) -> list[int]:
    return [block.link.number for block in blocks]


# -- By hash


async def test_block_is_fetched_by_its_hash_in_one_request() -> None:
    rpc = FakeRpc(node_with({10: raw_block(10, transaction(tx_hash(1), 7))}))

    block = await reader(rpc).by_hash(TEN)

    assert block.link.ref == TEN
    assert block.slots == {"0x" + "a" * 40 + ":7": tx_hash(1)}
    assert rpc.batches == [[Request("eth_getBlockByHash", (TEN.hash, True))]]
    assert rpc.others == []


async def test_missing_block_is_requested_again_and_then_from_other_nodes() -> None:
    rpc = FakeRpc(node_with({}), node_with({10: raw_block(10)}))

    assert (await reader(rpc).by_hash(TEN)).link.ref == TEN
    assert rpc.asked == {"eth_getBlockByHash": 4}


async def test_error_for_a_missing_block_names_the_block() -> None:
    rpc = FakeRpc(node_with({}), node_with({}))

    with pytest.raises(NotYetError, match=rf"has no block 10 \({TEN.hash}\) yet"):
        await reader(rpc).by_hash(TEN)


async def test_block_with_another_hash_is_malformed() -> None:
    rpc = FakeRpc(lambda _request: raw_block(11))

    with pytest.raises(MalformedError, match=f"block {hash_at(11)} came for block {TEN.hash}"):
        await reader(rpc).by_hash(TEN)


async def test_error_about_a_block_names_the_block() -> None:
    rpc = FakeRpc(lambda _request: raw_block(10) | {"parentHash": "0x12"})

    with pytest.raises(MalformedError, match=rf"block 10 \({TEN.hash}\): .*parent hash"):
        await reader(rpc).by_hash(TEN)


async def test_rate_limit_is_raised_unchanged() -> None:
    rpc = FakeRpc(lambda _request: RateLimitedError("slow down", 3.0))

    with pytest.raises(RateLimitedError, match="slow down"):
        await reader(rpc).by_hash(TEN)
    assert len(rpc.batches) == 1


# -- By number


async def test_consecutive_blocks_are_in_order() -> None:
    rpc = FakeRpc(node_with(chain_to(30)))

    assert numbers(await reader(rpc).by_number(range(5, 25))) == list(range(5, 25))
    assert rpc.asked == {"eth_getBlockByNumber": 20}


async def test_no_request_is_sent_for_no_numbers() -> None:
    rpc = FakeRpc(node_with(chain_to(30)))

    assert await reader(rpc).by_number(range(5, 5)) == []
    assert rpc.batches == []


async def test_blocks_above_the_head_are_left_out() -> None:
    rpc = FakeRpc(node_with(chain_to(7)))

    assert numbers(await reader(rpc).by_number(range(5, 25))) == [5, 6, 7]


async def test_broken_link_ends_the_list() -> None:
    rpc = FakeRpc(node_with(chain_to(30, _9=raw_block(9, branch=1))))

    assert numbers(await reader(rpc).by_number(range(5, 25))) == [5, 6, 7, 8]


@pytest.mark.parametrize("error", [TransportError("cut off"), RateLimitedError("slow down")])
async def test_error_ends_the_list_and_is_raised_if_it_is_first(error: SourceError) -> None:
    rpc = FakeRpc(node_with(chain_to(30, _9=error)))

    assert numbers(await reader(rpc).by_number(range(5, 25))) == [5, 6, 7, 8]
    with pytest.raises(type(error)):
        await reader(rpc).by_number(range(9, 25))


async def test_error_of_a_whole_request_is_raised() -> None:
    rpc = FakeRpc(node_with(chain_to(30)))
    rpc.failure = TransportError("cut off")

    with pytest.raises(TransportError, match="cut off"):
        await reader(rpc).by_number(range(5, 25))


async def test_block_with_another_number_is_malformed() -> None:
    rpc = FakeRpc(node_with(chain_to(30, _5=raw_block(6))))

    with pytest.raises(MalformedError, match="block 6 came for block 5"):
        await reader(rpc).by_number(range(5, 25))


async def test_unreadable_block_is_fetched_from_another_node() -> None:
    odd = raw_block(9) | {"transactions": "none"}
    rpc = FakeRpc(node_with(chain_to(30, _9=odd)), node_with(chain_to(30)))

    assert numbers(await reader(rpc).by_number(range(5, 25))) == list(range(5, 25))


async def test_at_most_four_requests_are_in_flight() -> None:
    rpc = FakeRpc(node_with(chain_to(200)))

    await reader(rpc).by_number(range(128))

    assert rpc.max_in_flight == 4


@pytest.mark.parametrize(
    ("transactions", "fitting"), [(0, MAX_BLOCKS_PER_REQUEST), (500, 4), (1_500, 1), (3_000, 1)]
)
async def test_the_size_of_requests_follows_the_size_of_blocks(
    transactions: int, fitting: int
) -> None:
    body = [transaction(tx_hash(place), place) for place in range(transactions)]
    blocks = {number: raw_block(number, *body) for number in range(80)}
    rpc = FakeRpc(node_with(blocks))
    source = reader(rpc)

    await source.by_number(range(4))
    assert [len(requests) for requests in rpc.batches] == [4]
    await source.by_number(range(4, 4 + 2 * fitting))

    assert [len(requests) for requests in rpc.batches[1:]] == [fitting] * 2


async def test_request_has_at_most_as_many_calls_as_the_node_accepts() -> None:
    rpc = FakeRpc(node_with(chain_to(30)), calls_per_request=1)

    await reader(rpc).by_number(range(3))

    assert [len(requests) for requests in rpc.batches] == [1, 1, 1]


# -- Numbers without a block


@pytest.mark.parametrize("missing", [None, NULL_ROUND])
async def test_null_rounds_are_skipped(missing: object) -> None:
    blocks = chain_to(9, _6=missing, _7=missing, _8=raw_block(8, parent=hash_at(5)))
    rpc = FakeRpc(node_with(blocks))

    found = await reader(rpc, null_rounds=True).by_number(range(4, 12))

    assert numbers(found) == [4, 5, 8, 9]


@pytest.mark.parametrize("missing", [None, NULL_ROUND])
async def test_on_other_chains_a_missing_number_ends_the_list(missing: object) -> None:
    blocks = chain_to(9, _6=missing, _7=raw_block(7, parent=hash_at(5)))

    found = await reader(FakeRpc(node_with(blocks))).by_number(range(4, 12))

    assert numbers(found) == [4, 5]


async def test_another_error_is_not_a_null_round() -> None:
    refused = ApplicationError("no such method", -32601)
    blocks = chain_to(9, _6=refused, _7=raw_block(7, parent=hash_at(5)))

    found = await reader(FakeRpc(node_with(blocks)), null_rounds=True).by_number(range(4, 12))

    assert numbers(found) == [4, 5]


# -- Without parent hashes


def unlinked(head: int, **changes: Any) -> dict[int, Any]:
    """Return blocks whose parent hash is not the hash of the block below (Flow, Sei)."""
    return chain_to(head, **changes) | {
        number: raw_block(number, parent=hash_at(number, 9)) for number in range(head + 1)
    }


async def test_blocks_without_parent_hashes_build_on_the_number_below() -> None:
    rpc = FakeRpc(node_with(unlinked(9)))

    found = await reader(rpc, parent_links=False).by_number(range(5, 8))

    assert [(block.link.number, block.link.parent) for block in found] == [
        (5, hash_at(4)),
        (6, hash_at(5)),
        (7, hash_at(6)),
    ]


async def test_blocks_without_links_end_the_list_on_other_chains() -> None:
    rpc = FakeRpc(node_with(unlinked(9)))

    assert numbers(await reader(rpc).by_number(range(5, 8))) == [5]


async def test_block_without_a_parent_hash_is_fetched_by_its_number() -> None:
    rpc = FakeRpc(node_with(unlinked(20)))

    block = await reader(rpc, parent_links=False).by_hash(TEN)

    assert (block.link.ref, block.link.parent) == (TEN, hash_at(9))
    assert rpc.asked == {"eth_getBlockByNumber": 2}


async def test_block_0_needs_no_block_below() -> None:
    source = reader(FakeRpc(node_with(unlinked(3))), parent_links=False)

    assert numbers(await source.by_number(range(3))) == [0, 1, 2]
    assert (await source.by_hash(BlockRef(0, hash_at(0)))).link.number == 0


async def test_another_block_at_the_number_is_not_returned() -> None:
    source = reader(FakeRpc(node_with(unlinked(20))), parent_links=False)

    with pytest.raises(NotYetError, match=f"another block than {hash_at(10, 3)} at 10"):
        await source.by_hash(BlockRef(10, hash_at(10, 3)))
    with pytest.raises(NotYetError, match="has no block 21"):
        await source.by_hash(BlockRef(21, hash_at(21)))


@pytest.mark.parametrize("number", [9, 10])
async def test_error_of_a_block_without_links_or_of_its_parent_is_raised(number: int) -> None:
    blocks = unlinked(20) | {number: RateLimitedError("slow down")}
    source = reader(FakeRpc(node_with(blocks)), parent_links=False)

    with pytest.raises(RateLimitedError):
        await source.by_hash(TEN)


# -- Hashes in place of transactions

KEYS = [tx_hash(1), tx_hash(2)]
LISTED = raw_block(10, *KEYS)
WHOLE = raw_block(10, *(transaction(key, place) for place, key in enumerate(KEYS)))


def with_transactions(blocks: Mapping[int, Any], **changes: Any) -> Node:
    """Return a node that lists hashes in its blocks, and sends single transactions."""
    inner = node_with(blocks)
    known = {key: transaction(key, place) for place, key in enumerate(KEYS)}
    known |= {KEYS[int(name[1:])]: answer for name, answer in changes.items()}

    def answer(request: Request) -> Any:
        if request.method == "eth_getTransactionByHash":
            return known.get(str(request.params[0]))
        return inner(request)

    return answer


async def test_block_that_lists_hashes_is_fetched_from_another_node() -> None:
    rpc = FakeRpc(with_transactions({10: LISTED}), node_with({10: WHOLE}))

    block = await reader(rpc).by_hash(TEN)

    assert (set(block.ids), len(block.slots), block.hashes_only) == (set(KEYS), 2, False)
    assert rpc.asked == {"eth_getBlockByHash": 1}


@pytest.mark.parametrize("others", [[], [node_with({10: LISTED})], [node_with({})]])
async def test_transactions_are_fetched_singly_if_all_nodes_list_hashes(
    others: list[Node],
) -> None:
    rpc = FakeRpc(with_transactions({10: LISTED}), *others)

    (block,) = await reader(rpc).by_number(range(10, 11))

    assert block.link.parent == hash_at(9)
    assert (list(block.ids), len(block.slots), block.hashes_only) == (KEYS, 2, False)
    assert rpc.asked == {"eth_getBlockByNumber": 1, "eth_getTransactionByHash": 2}


@pytest.mark.parametrize("odd", [None, "x", transaction(tx_hash(3)), TransportError("cut off")])
async def test_hash_of_a_missing_transaction_stays_in_the_block(odd: object) -> None:
    rpc = FakeRpc(with_transactions({10: LISTED}, _1=odd))

    block = await reader(rpc).by_hash(TEN)

    assert list(block.ids) == KEYS
    assert list(block.slots.values()) == KEYS[:1]
    assert block.body[1] == {"hash": KEYS[1]}
    assert block.unreadable == 1


# -- Wrong parents

TRUE, FALSE = raw_block(10), raw_block(10, parent=hash_at(9, branch=1))
KEPT = KeptChain.of(5, [Link(9, hash_at(9), hash_at(8))])


@pytest.mark.parametrize(
    ("others", "chain", "blamed"),
    [
        ([TRUE], KEPT, ["0"]),
        ([FALSE, TRUE], KEPT, ["0", "1"]),
        ([None, TRUE], KEPT, ["0"]),
        ([TRUE], KeptChain(5), []),  # nothing proves which of the two is right
        ([FALSE], KEPT, []),
    ],
)
async def test_node_with_another_parent_than_our_chain_is_blamed(
    others: list[Any], chain: KeptChain, blamed: list[str]
) -> None:
    rpc = FakeRpc(*(node_with({10: block} if block else {}) for block in [FALSE, *others]))
    blocks = reader(rpc)

    other = await blocks.other_version(await blocks.by_hash(TEN), chain)

    assert (other is not None and other.link.parent == hash_at(9)) == (TRUE in others)
    assert rpc.blamed == [(name, 10) for name in blamed]
