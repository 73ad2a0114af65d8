"""Number of requests per block, for all kinds of tracked transactions (rule 11.9)."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from .chain import Json, transaction
from .node import Node
from .world import BLOCK_SECONDS, CONFIRMATIONS, World, chain_of

# The default: with fewer polls, fewer blocks would be found at their time.
POLL_SECONDS = 1.0
TRACKED = 400
BLOCKS = 40
# Until the deadlines of all tracked transactions are judged within the budget, about as many pass.
DEADLINE_BLOCKS = 40
# Without the budget, all of them would be judged in the first blocks.
BURST_BLOCKS = 10
FREE_REQUESTS = 4  # two batches need no room in the budget, each of two requests
# Single transactions are looked up at every 24th poll of the head at least, beyond the budget too.
MAX_REQUESTS_PER_BLOCK = 4.1
# The minimum is two polls of the head, one request to apply the block, and one request to each
# other provider about the block's ends.
MAX_FOLLOWED_REQUESTS_PER_BLOCK = 3.1


# Transactions in no block, at one or two providers.
IN_NO_BLOCK = [
    pytest.param(True, 2, id="pending-2"),
    pytest.param(False, 1, id="missing-1"),
    pytest.param(True, 1, id="pending-1", marks=pytest.mark.full),
    pytest.param(False, 2, id="missing-2", marks=pytest.mark.full),
]


@pytest.mark.parametrize(("is_known", "providers"), IN_NO_BLOCK)
def test_number_of_requests_does_not_depend_on_pending_transactions(
    providers: int, is_known: bool
) -> None:
    items = [transaction(f"customer {number}", 1) for number in range(TRACKED)]
    chain = chain_of(100)
    if is_known:
        chain.wait(*items)
    nodes = [Node(chain, f"node{number}") for number in range(providers)]
    world = World(*nodes, poll_interval=POLL_SECONDS)

    async def main() -> None:
        await world.track(*items)
        await world.blocks(20)
        before = sum(node.requests for node in nodes)
        await world.blocks(BLOCKS)
        await world.reaches(chain)
        assert (sum(node.requests for node in nodes) - before) / BLOCKS <= MAX_REQUESTS_PER_BLOCK

    world.play(main)


@pytest.mark.parametrize(
    ("providers", "each", "confirmations"),
    [
        (1, 1, 1),
        (3, 1, 12),
        (2, 70, 3),
        *(
            pytest.param(*numbers, marks=pytest.mark.full)
            for numbers in ((1, 1, 12), (2, 1, 1), (2, 1, 12), (3, 1, 1), (2, 120, 3), (2, 120, 1))
        ),
    ],
)
def test_blocks_with_transactions_and_ends_take_one_request_per_other_provider(
    providers: int, each: int, confirmations: int
) -> None:
    count = BLOCKS if each == 1 else 5
    nodes, cost = cost_of_full_blocks(providers, each, count, confirmations)

    assert cost <= max(MAX_REQUESTS_PER_BLOCK, MAX_FOLLOWED_REQUESTS_PER_BLOCK + len(nodes) - 1)


@pytest.mark.parametrize("providers", [1, 3, pytest.param(2, marks=pytest.mark.full)])
def test_blocks_with_replacements_take_one_request_per_other_provider(
    providers: int,
) -> None:
    nodes, cost = cost_of_full_blocks(providers, 1, BLOCKS, CONFIRMATIONS, replaces=True)

    assert cost <= max(MAX_REQUESTS_PER_BLOCK, MAX_FOLLOWED_REQUESTS_PER_BLOCK + len(nodes) - 1)


@pytest.mark.parametrize(("is_known", "providers"), IN_NO_BLOCK)
def test_simultaneous_deadlines_stay_within_the_request_budget(
    providers: int, is_known: bool
) -> None:
    items = [transaction(f"customer {number}", 1) for number in range(TRACKED)]
    chain = chain_of(100)
    if is_known:
        chain.wait(*items)
    nodes = [Node(chain, f"node{number}") for number in range(providers)]
    # A dropped transaction does not expire.
    patience = {"drop_after_blocks": 1_000, "drop_after_seconds": 86_400.0}
    world = World(*nodes, poll_interval=POLL_SECONDS, **patience)

    async def main() -> None:
        await world.track(*items, deadline=time.time() + 20 * BLOCK_SECONDS)
        await world.blocks(19)
        before = sum(node.requests for node in nodes)
        await world.blocks(BURST_BLOCKS)
        burst = sum(node.requests for node in nodes) - before
        assert burst <= BURST_BLOCKS * MAX_REQUESTS_PER_BLOCK + FREE_REQUESTS
        await world.blocks(DEADLINE_BLOCKS - BURST_BLOCKS)
        assert (
            sum(node.requests for node in nodes) - before
        ) / DEADLINE_BLOCKS <= MAX_REQUESTS_PER_BLOCK
        # A single provider is asked twice, a request has 33 look-ups, and other look-ups have their
        # turns. During that time, missing transactions can be dropped, and then do not expire.
        await world.blocks(DEADLINE_BLOCKS // 2)
        ends = [state for _, state in world.events if state in ("expired", "dropped")]
        assert len(ends) == TRACKED
        assert not is_known or set(ends) == {"expired"}

    world.play(main)


def test_request_budget_does_not_delay_a_deadline() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(100)
    world = World(Node(chain))

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment, deadline=time.time() + 60.0)
        await asyncio.sleep(60.0)
        assert await world.ends(payment) == []
        await world.becomes(payment, "expired", within=5.0)

    world.play(main)


def cost_of_full_blocks(
    providers: int, each: int, count: int, confirmations: int, *, replaces: bool = False
) -> tuple[list[Node], float]:
    """Return the requests for each of ``count`` blocks, all of which have transactions and ends."""
    warm = confirmations + 4
    items = [transaction(f"customer {number}", 1) for number in range((warm + count) * each)]
    rivals = [transaction(f"customer {number}", 1, value="0x1") for number in range(len(items))]
    chain = chain_of(100)
    chain.wait(*items)
    nodes = [Node(chain, f"node{number}") for number in range(providers)]
    world = World(*nodes, confirmations=confirmations, poll_interval=POLL_SECONDS)
    costs: list[int] = []

    async def mine(blocks: int, left: Iterator[Json]) -> None:
        for _ in range(blocks):
            chain.mine(*(next(left) for _ in range(each)))
            await asyncio.sleep(BLOCK_SECONDS)

    async def main() -> None:
        left = iter(rivals if replaces else items)
        await world.track(*items)
        await mine(warm, left)
        before = sum(node.requests for node in nodes)
        await mine(count, left)
        costs.append(sum(node.requests for node in nodes) - before)
        await world.reaches(chain)
        end = "replaced" if replaces else "confirmed"
        reported = sum(state == end for _, state in world.events)
        assert reported >= (count + warm - confirmations - 1) * each

    world.play(main)
    return nodes, costs[0] / count
