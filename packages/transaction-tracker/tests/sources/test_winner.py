from collections.abc import Sequence
from typing import Any

import pytest

from transaction_tracker.sources import ApplicationError, RateLimitedError, TransportError
from transaction_tracker.sources.ethereum.blocks import Blocks
from transaction_tracker.sources.ethereum.context import ChainContext
from transaction_tracker.sources.ethereum.rpc import Request
from transaction_tracker.sources.ethereum.winner import Winners

from .rpc import FakeRpc, Node, raw_block, transaction, tx_hash

ALICE = "0x" + "a" * 40
SLOT = f"{ALICE}:3"
PRUNED = ApplicationError("missing trie node", -32000)


def account(
    *used_in: int, lowest: int = 0, absent: object = PRUNED, authorized: Sequence[int] = ()
) -> Node:
    """Return a node with an account.

    Args:
        used_in: Blocks whose transactions used the account's nonces, in order.
        lowest: Lowest block whose state the node keeps.
        absent: Result for the state of older blocks.
        authorized: Blocks of ``used_in`` in which an authorization used the nonce.
    """

    def answer(request: Request) -> Any:
        if request.method == "eth_getTransactionCount":
            assert request.params[0] == ALICE
            height = int(str(request.params[1]), 16)
            return hex(sum(block <= height for block in used_in)) if height >= lowest else absent
        assert request.method == "eth_getBlockByNumber"
        number = int(str(request.params[0]), 16)
        nonces = [nonce for nonce, block in enumerate(used_in) if block == number]
        body = (
            [] if number in authorized else [transaction(tx_hash(nonce), nonce) for nonce in nonces]
        )
        return raw_block(number, *body)

    return answer


def winners(rpc: FakeRpc) -> Winners:
    return Winners(rpc, Blocks(rpc, ChainContext(1)))  # type: ignore[arg-type]


@pytest.mark.parametrize("height", [0, 1, 2, 17, 18, 19, 300, 1_000])
async def test_block_that_used_the_nonce_is_found(height: int) -> None:
    for place in (0, 1, 2, 16, 17, 18, 19, 288, 289, 290, 999, 1_000):
        if place > height:
            return
        rpc = FakeRpc(account(*sorted((0, 0, 0, place, height))))

        block = await winners(rpc).find(SLOT, height)

        assert block is not None
        assert (block.link.number, block.slots[SLOT]) == (place, tx_hash(3))


async def test_a_hundred_million_blocks_take_eight_requests_and_one_for_the_block() -> None:
    rpc = FakeRpc(account(5, 6, 7, 61_234_567))

    block = await winners(rpc).find(SLOT, 100_000_000)

    assert block is not None
    assert block.link.number == 61_234_567
    assert len(rpc.batches) <= 9
    assert max(map(len, rpc.batches)) <= 17


async def test_no_block_above_the_height_is_requested() -> None:
    rpc = FakeRpc(account(5, 6, 7, 150))

    assert await winners(rpc).find(SLOT, 100) is None
    asked = [request.params for requests in rpc.batches for request in requests]
    heights = [int(str(params[1] if params[0] == ALICE else params[0]), 16) for params in asked]
    assert max(heights) == 100


async def test_a_nonce_that_an_authorization_used_has_no_winner() -> None:
    rpc = FakeRpc(account(5, 6, 7, 60, authorized=[60]))

    assert await winners(rpc).find(SLOT, 100) is None


async def test_nonces_used_in_one_block_are_distinguished() -> None:
    rpc = FakeRpc(account(5, 6, 60, 60, 60))

    block = await winners(rpc).find(SLOT, 100)

    assert block is not None
    assert block.slots[SLOT] == tx_hash(3)


@pytest.mark.parametrize("absent", [PRUNED, None, TransportError("cut off")])
async def test_old_state_is_fetched_from_a_node_that_keeps_it(absent: object) -> None:
    recent = account(5, 6, 7, 60, lowest=90, absent=absent)
    rpc = FakeRpc(recent, recent, account(5, 6, 7, 60))

    block = await winners(rpc).find(SLOT, 100)

    assert block is not None
    assert block.link.number == 60


async def test_without_old_state_anywhere_there_is_no_winner() -> None:
    recent = account(5, 6, 7, 60, lowest=90)
    rpc = FakeRpc(recent, recent)

    assert await winners(rpc).find(SLOT, 100) is None
    assert len(rpc.batches) < 10


@pytest.mark.parametrize("place", [19_999_937, 19_999_970, 19_999_999, 20_000_000])
async def test_nonce_used_in_the_kept_state_is_found(place: int) -> None:
    rpc = FakeRpc(account(5, 6, 7, place, lowest=20_000_000 - 127))

    block = await winners(rpc).find(SLOT, 20_000_000)

    assert block is not None
    assert block.link.number == place


async def test_rate_limit_of_one_node_is_replaced_by_another_node() -> None:
    counts = account(5, 6, 7, 60)

    def limited_once(request: Request) -> Any:
        is_one = request == Request("eth_getTransactionCount", (ALICE, hex(98)))
        return RateLimitedError("slow down") if is_one else counts(request)

    block = await winners(FakeRpc(limited_once, counts)).find(SLOT, 100)

    assert block is not None


async def test_rate_limit_is_raised_and_not_taken_for_no_winner() -> None:
    limited = RateLimitedError("slow down")

    with pytest.raises(RateLimitedError):
        await winners(FakeRpc(account(5, 6, 7, 60, lowest=90, absent=limited))).find(SLOT, 100)


async def test_other_node_replaces_a_rate_limited_node() -> None:
    limited = account(5, 6, 7, 60, lowest=90, absent=RateLimitedError("slow down"))
    rpc = FakeRpc(limited, account(5, 6, 7, 60))

    block = await winners(rpc).find(SLOT, 100)

    assert block is not None
    assert block.link.number == 60


async def test_contradictory_counts_end_the_search() -> None:
    def odd(request: Request) -> Any:
        if request.method == "eth_getTransactionCount":
            return hex(9 if int(str(request.params[1]), 16) % 2 else 0)
        return raw_block(int(str(request.params[0]), 16))

    rpc = FakeRpc(odd)

    assert await winners(rpc).find(SLOT, 1_000_000) is None
    assert len(rpc.batches) < 10
