"""Proof that blocks below the kept blocks are on our chain."""

from typing import Any

import pytest

from transaction_tracker.domain import BlockRef, KeptChain, Link
from transaction_tracker.sources import Contained, TransportError
from transaction_tracker.sources.ethereum.links import MAX_LINKED_BLOCKS, MAX_REQUESTS, Ancestors
from transaction_tracker.sources.ethereum.old_blocks import OldBlocks
from transaction_tracker.sources.ethereum.rpc import Request

from .rpc import FakeRpc, Node, hash_at, raw_block

BOTTOM = 5_000


def link(number: int, branch: int = 0) -> Link:
    return Link(number, hash_at(number, branch), hash_at(number - 1, branch))


def ref(number: int, branch: int = 0) -> BlockRef:
    return link(number, branch).ref


def node(branch: int = 0, above: int = 0, **instead: Any) -> Node:
    """Return a node whose blocks above a height are those of a branch."""
    other = {int(name[1:]): block for name, block in instead.items()}

    def answer(request: Request) -> Any:
        number = int(str(request.params[0]), 16)
        return other.get(number, raw_block(number, branch=branch if number > above else 0))

    return answer


SILENT: Node = lambda _request: TransportError("cut off")  # noqa: E731


def ancestors(*nodes: Node, calls_per_request: int = 100) -> tuple[Ancestors, FakeRpc]:
    rpc = FakeRpc(*nodes, calls_per_request=calls_per_request)
    return Ancestors(rpc), rpc  # type: ignore[arg-type]


# -- Linked


@pytest.mark.parametrize("depth", [1, 50, MAX_LINKED_BLOCKS])
async def test_a_block_is_linked_to_the_lowest_kept_one_by_its_hash(depth: int) -> None:
    found, rpc = ancestors(node())
    ours, foreign = ref(BOTTOM - depth), ref(BOTTOM - depth, branch=1)

    assert (await found.linked([ours, foreign], link(BOTTOM)))[0] == {ours}
    assert len(rpc.batches) == -(-depth // 100)
    assert rpc.max_in_flight <= 4


async def test_linked_blocks_need_no_further_requests() -> None:
    found, rpc = ancestors(node())
    await found.linked([ref(BOTTOM - 900)], link(BOTTOM))
    rpc.batches.clear()

    blocks = {ref(BOTTOM - depth) for depth in (1, 400, 900)}

    assert (await found.linked([*blocks, ref(BOTTOM - 450, branch=1)], link(BOTTOM)))[0] == blocks
    assert rpc.batches == []


async def test_blocks_that_were_kept_need_no_request() -> None:
    found, rpc = ancestors(SILENT)
    numbers = range(BOTTOM, BOTTOM + 400)
    chain = KeptChain.of(70, [link(number) for number in numbers[:70]])
    for number in numbers[70:]:
        found.follows(chain, chain := chain.push(link(number)))
    assert chain.bottom is not None

    old, older = ref(BOTTOM + 5), ref(BOTTOM + 5, branch=1)

    assert (await found.linked([old, older], chain.bottom))[0] == {old}
    assert rpc.batches == []
    found.follows(chain, KeptChain(70))
    assert (await found.linked([old], chain.bottom))[0] == set()


async def test_call_sends_a_limited_number_of_requests_and_the_next_continues() -> None:
    found, rpc = ancestors(node(), calls_per_request=1)
    block = ref(BOTTOM - 250)

    linked = []
    for _ in range(4):
        before = len(rpc.batches)
        linked.append((await found.linked([block], link(BOTTOM)))[0])
        assert len(rpc.batches) - before <= MAX_REQUESTS

    assert linked == [set(), set(), {block}, {block}]
    assert len(rpc.batches) == 250


async def test_wrong_parent_from_the_followed_node_is_fetched_from_other_nodes() -> None:
    wrong = raw_block(BOTTOM - 5, parent=hash_at(BOTTOM - 6, branch=1))
    found, _ = ancestors(node(**{f"_{BOTTOM - 5}": wrong}), SILENT, node())

    assert (await found.linked([ref(BOTTOM - 20)], link(BOTTOM)))[0] == {ref(BOTTOM - 20)}


async def test_wrong_parent_of_the_lowest_kept_block_is_fetched_from_other_nodes() -> None:
    found, _ = ancestors(node(branch=1), node())
    bottom = Link(BOTTOM, hash_at(BOTTOM), hash_at(BOTTOM - 1, branch=2))

    assert (await found.linked([ref(BOTTOM - 20)], bottom))[0] == {ref(BOTTOM - 20)}


@pytest.mark.parametrize("others", [(), (node(branch=1),), (SILENT,)])
async def test_block_without_links_to_ours_is_not_proven(others: tuple[Node, ...]) -> None:
    found, _ = ancestors(node(branch=1, above=BOTTOM - 10), *others)

    assert (await found.linked([ref(BOTTOM - 20)], link(BOTTOM)))[0] == set()


async def test_error_proves_nothing_and_causes_no_other_requests() -> None:
    found, rpc = ancestors(SILENT, SILENT)

    assert (await found.linked([ref(BOTTOM - 20)], link(BOTTOM)))[0] == set()
    assert rpc.others == []


async def test_unlinked_headers_do_not_accumulate() -> None:
    found, _ = ancestors(node())
    for branch in range(2, 10):
        found._rpc = FakeRpc(node(branch=branch))  # type: ignore[assignment]
        await found.linked([ref(BOTTOM - 900)], link(BOTTOM))

    assert len(found._links) <= 3 * MAX_LINKED_BLOCKS


# -- Too far down to be linked

FAR = ref(BOTTOM - MAX_LINKED_BLOCKS - 1)
TIP = ref(BOTTOM + 70)


async def contained(*nodes: Node, block: BlockRef = FAR, has_links: bool = True) -> Contained:
    blocks = OldBlocks(FakeRpc(*nodes))  # type: ignore[arg-type]
    return await blocks.contained([block], TIP, link(BOTTOM), has_links=has_links)


OURS, OTHER = node(), node(branch=1)
STUCK = node(**{f"_{FAR.number}": raw_block(FAR.number, branch=1)})  # only there
PRUNED = node(**{f"_{FAR.number}": None})
PROVEN, TOLD = Contained(proven=frozenset({FAR})), Contained(unconfirmed=frozenset({FAR}))
DENIED = Contained(denied=frozenset({FAR}))


@pytest.mark.parametrize(
    ("nodes", "found"),
    [
        ((OURS,), TOLD),
        ((OURS, OURS), PROVEN),
        ((OURS, PRUNED), TOLD),
        ((OURS, SILENT), TOLD),
        ((OURS, OTHER), TOLD),  # a node whose chain does not contain our tip says nothing
        ((OTHER, OTHER), Contained()),
        ((OURS, STUCK), DENIED),
        ((OURS, OURS, STUCK), PROVEN),
        ((OURS, OURS, STUCK, STUCK), DENIED),
        ((STUCK,), DENIED),
        ((SILENT,), Contained()),
    ],
)
async def test_majority_of_at_least_two_providers_decide(
    nodes: tuple[Node, ...], found: Contained
) -> None:
    assert await contained(*nodes) == found


async def test_blocks_are_not_linked_on_a_chain_without_parent_hashes() -> None:
    near = ref(BOTTOM - 1)

    assert await contained(OURS, block=near) == Contained(proven=frozenset({near}))
    assert await contained(OURS, block=near, has_links=False) == Contained(
        unconfirmed=frozenset({near})
    )


async def test_each_request_includes_our_tip() -> None:
    asked: list[list[int]] = []
    rpc = FakeRpc(OURS, OURS, calls_per_request=4)
    everywhere = rpc.everywhere

    async def noting(requests: Any) -> Any:
        asked.append([int(request.params[0], 16) for request in requests])
        return await everywhere(requests)

    rpc.everywhere = noting  # type: ignore[method-assign]
    blocks = {ref(number) for number in range(1, 8)}

    found = await OldBlocks(rpc).contained(blocks, TIP, link(BOTTOM), has_links=True)  # type: ignore[arg-type]

    assert found == Contained(proven=frozenset(blocks))
    assert asked == [[TIP.number, 1, 2, 3], [TIP.number, 4, 5, 6], [TIP.number, 7]]


async def test_missing_header_ends_the_links_otherwise_the_next_call_goes_on() -> None:
    block = ref(BOTTOM - 900)
    whole, _ = ancestors(node(), calls_per_request=1)
    pruned, _ = ancestors(node(n4990=None), calls_per_request=1)

    assert await whole.linked([block], link(BOTTOM)) == (set(), {block})
    await pruned.linked([block], link(BOTTOM))
    assert await pruned.linked([block], link(BOTTOM)) == (set(), set())
