"""A nonce counts as used at the height of our tip, not at the head of a node."""

from typing import Any

import pytest

from transaction_tracker.domain import KeptChain, Link
from transaction_tracker.sources import ApplicationError, Consensus, NotYetError, RateLimitedError
from transaction_tracker.sources.ethereum import EthereumSource
from transaction_tracker.sources.ethereum.rpc import Request

from .rpc import FakeRpc, Node, hash_at, tx_hash

KEY = tx_hash(1)
SLOTS = {KEY: ("0x" + "a" * 40 + ":5",)}
USED, FREE = "0x6", "0x5"
TIP = Link(20, hash_at(20), hash_at(19))


def node(head: int, at_tip: Any, at_head: Any) -> Node:
    """Return a node without transactions, with the next nonces at our tip and at its head."""
    nonces = {hex(TIP.number): at_tip, "latest": at_head}

    def answer(request: Request) -> Any:
        if request.method == "eth_blockNumber":
            return hex(head)
        if request.method == "eth_getTransactionCount":
            return nonces[str(request.params[1])]
        return None

    return answer


def following(*nodes: Node) -> EthereumSource:
    rpc = FakeRpc(*nodes)
    rpc.follows = lambda _chain: None  # type: ignore[attr-defined]
    source = EthereumSource(rpc, 1)  # type: ignore[arg-type]
    source.follows(KeptChain(5, (TIP,)))
    return source


async def test_nonce_used_above_our_tip_is_unused() -> None:
    ahead, level = node(21, FREE, USED), node(20, FREE, FREE)

    found = await following(ahead, level).consensus(SLOTS, 20)

    assert found == {KEY: Consensus("absent", 2)}


async def test_nonce_used_at_our_tip_is_used() -> None:
    assert await following(node(21, USED, USED)).consensus(SLOTS, 20) == {
        KEY: Consensus("nonce-used", 1)
    }


@pytest.mark.parametrize(
    "unknown", [None, ApplicationError("only latest", -32602), NotYetError("header not found")]
)
@pytest.mark.parametrize(
    ("heads", "kind"), [((20, 20), "nonce-used"), ((20, 16), "nonce-used"), ((21, 20), "open")]
)
async def test_nonce_at_a_head_above_our_tip_is_open(
    unknown: Any, heads: tuple[int, int], kind: Any
) -> None:
    nodes = [node(heads[0], USED, USED), node(heads[1], unknown, USED)]

    found = await following(*nodes).consensus(SLOTS, 16)

    assert found[KEY].kind == kind


async def test_unused_nonce_at_a_head_above_our_tip_is_unused() -> None:
    unknown = NotYetError("header not found")

    found = await following(node(21, unknown, FREE)).consensus(SLOTS, 20)

    assert found == {KEY: Consensus("absent", 1)}


async def test_rate_limit_causes_no_further_requests() -> None:
    limited = RateLimitedError("slow down")
    asked: list[str] = []
    inner = node(20, limited, USED)

    def answer(request: Request) -> Any:
        asked.append(request.method)
        return inner(request)

    assert (await following(answer).consensus(SLOTS, 20))[KEY].kind == "open"
    assert asked.count("eth_getTransactionCount") == 1
