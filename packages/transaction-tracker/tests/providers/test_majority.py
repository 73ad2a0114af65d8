"""The chain of the majority is followed, whatever the heights of its providers."""

import asyncio
import logging
from typing import Any

import pytest

from beamish.testing import StartSupervised
from transaction_tracker.domain import KeptChain, Link
from transaction_tracker.providers import Pool, ProviderSettings
from transaction_tracker.providers.endpoint import RpcEndpoint
from transaction_tracker.providers.pool_state import PoolState
from transaction_tracker.providers.views import View
from transaction_tracker.sources.ethereum.rpc import Request
from transaction_tracker.sources.ethereum.url import SecretUrl
from txtrack_devnode import Chain as NodeChain
from txtrack_devnode import DevelopmentNode
from txtrack_devnode.block import Block

from .conftest import MakePool
from .support import TIMEOUT_SECONDS, Node, chain_to, eventually, link_at, states, status_of

PROBE_SECONDS = 0.05


async def started(make_pool: MakePool, *nodes: Node, **options: Any) -> Pool:
    pool = await make_pool(*nodes, **{"probe_interval": PROBE_SECONDS} | options)
    await pool.identity()
    assert await pool.call("eth_blockNumber") is not None
    return pool


async def first_replaced(pool: Pool) -> None:
    """Ask for the head, as the follower does, until the first provider is not followed."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while states(pool)[0] == "active":
            await pool.call("eth_getBlockByNumber", "latest", False)


async def test_followed_provider_on_a_minority_fork_is_replaced(
    make_pool: MakePool, nodes: list[Node], caplog: pytest.LogCaptureFixture
) -> None:
    pool = await started(make_pool, *nodes)
    nodes[0].fork, nodes[0].branch = 95, 1
    pool.follows(chain_to(100, branch=1, fork=95))  # the follower has read the fork

    await eventually(
        lambda: [provider.chain for provider in pool.status()] == ["same", "other", "other"]
    )
    await first_replaced(pool)

    assert status_of(pool, 1).state == "healthy"
    assert "127.0.0.1-1 is on the chain of a minority: following 127.0.0.1-" in caplog.text
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 1


async def test_provider_that_claims_a_far_head_on_its_own_fork_is_not_followed(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    nodes[0].fork, nodes[0].branch, nodes[0].head = 90, 1, 5_000
    pool = await started(make_pool, *nodes)
    pool.follows(chain_to(100))

    await first_replaced(pool)

    await eventually(
        lambda: [provider.chain for provider in pool.status()] == ["other", "same", "same"]
    )
    assert [status_of(pool, position).lag for position in (2, 3)] == [0, 0]


async def test_far_head_of_another_chain_does_not_count_as_lag(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    # Far between, so that a view does not expire on a slow machine.
    pool = await started(make_pool, *nodes[:2], probe_interval=60.0)
    pool.follows(chain_to(100))
    nodes[1].fork, nodes[1].branch, nodes[1].head = 90, 1, 5_000

    for _ in range(10):
        await pool.check(status_of(pool, 2).name)
        await pool.call("eth_getBlockByNumber", "latest", False)
        assert status_of(pool, 2).chain == "other"
        assert states(pool)[0] == "active"

    assert status_of(pool, 1).lag == 0


async def test_reorganisation_of_all_providers_does_not_cause_a_switch(
    make_pool: MakePool, nodes: list[Node], caplog: pytest.LogCaptureFixture
) -> None:
    # No probe in between: the views of the others are from before.
    pool = await started(make_pool, *nodes, probe_interval=60.0)
    pool.follows(chain_to(100))
    await eventually(lambda: [provider.chain for provider in pool.status()] == ["same"] * 3)

    for branch in range(1, 20):
        for node in nodes:
            node.fork, node.branch = 97, branch
        await pool.call("eth_getBlockByNumber", "latest", False)
        pool.follows(chain_to(100, branch=branch, fork=97))
        await pool.call("eth_getBlockByNumber", "latest", False)

    assert states(pool) == ["active", "healthy", "healthy"]
    assert "following" not in caplog.text


async def test_provider_with_backends_of_different_heights_stays_followed(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    # No probe in between: it could record a head from before the next change.
    pool = await started(make_pool, *nodes[:2], probe_interval=60.0)
    pool.follows(chain_to(104))
    nodes[1].head = 104
    assert (await pool.check("127.0.0.1-2")).head == 104

    for head in (104, 99, 104, 99, 99, 99):
        nodes[0].head = head
        await pool.call("eth_getBlockByNumber", "latest", False)
        assert states(pool)[0] == "active"
        assert status_of(pool, 1).lag == 0
        assert status_of(pool, 1).head == head


def linked(block: Block) -> Link:
    return Link(block.number, block.hash, block.parent_hash)


def kept(chain: NodeChain) -> KeptChain:
    blocks = (chain.block(number) for number in range(chain.head.number + 1))
    return KeptChain.of(64, [linked(block) for block in blocks if block is not None])


async def test_probe_height_stays_the_same_during_an_interval(
    nodes: list[Node],
) -> None:
    endpoints = [RpcEndpoint(ProviderSettings(node.url), 1) for node in nodes]
    state = PoolState(endpoints, chain_id=None, max_lag=3, probe_interval=10.0)
    heights = [state.probe_height(0.0)]

    for tip, now in [(100, 0.0), (105, 5.0), (109, 9.9), (110, 10.0), (115, 15.0), (95, 16.0)]:
        state.set_chain(chain_to(tip))
        heights.append(state.probe_height(now))

    assert heights == [None, 100, 100, 100, 110, 110, 95]


def test_head_that_cannot_be_compared_for_a_moment_is_not_a_change_of_side() -> None:
    endpoint = RpcEndpoint(ProviderSettings("http://127.0.0.1:1"), 1)

    for now, head in [(1.0, link_at(100)), (2.0, link_at(200)), (3.0, link_at(101))]:
        endpoint.view = View(head, now)
        endpoint.compare(chain_to(100), now)

    assert (endpoint.side, endpoint.side_since) == ("same", 1.0)
    endpoint.view = View(link_at(101, branch=1, fork=95), 4.0)
    endpoint.compare(chain_to(100), 4.0)
    assert (endpoint.side, endpoint.side_since) == ("other", 4.0)


async def test_providers_of_the_followed_chain_are_asked_first(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    nodes[1].fork, nodes[1].branch = 90, 1
    for node in nodes:
        node.blocks["0xab"] = {"from": node.branch}
    pool = await started(make_pool, *nodes, probe_interval=60.0)  # no view expires
    pool.follows(chain_to(100))
    await eventually(
        lambda: [provider.chain for provider in pool.status()] == ["same", "other", "same"]
    )
    pool._state.endpoints[2].health.latency = 1_000.0  # so it would otherwise be the last choice

    assert await pool.elsewhere([Request("eth_getBlockByHash", ("0xab", False))]) == [{"from": 0}]


async def test_nodes_on_different_forks_are_distinguished(
    start_supervised: StartSupervised,
) -> None:
    chains = [NodeChain() for _ in range(3)]
    for chain in chains:
        chain.mine(10)
    chains[2].reorg(4)
    chains[2].mine(3)
    async with (
        DevelopmentNode(chain=chains[0]) as first,
        DevelopmentNode(chain=chains[1]) as second,
        DevelopmentNode(chain=chains[2]) as third,
    ):
        settings = [ProviderSettings(SecretUrl(node.url)) for node in (third, first, second)]
        pool = Pool(settings, probe_interval=PROBE_SECONDS)
        await start_supervised(pool.child_spec())
        await pool.identity()
        await pool.call("eth_blockNumber")
        pool.follows(kept(chains[2]))
        blocks = [link.ref for link in kept(chains[2]).links if link.number in (5, 8)]

        found = await pool.dissent(kept(chains[2]), blocks)

        assert {block.number: names for block, names in found.against.items()} == {
            8: ("127.0.0.1-2", "127.0.0.1-3")
        }
        await first_replaced(pool)
        await eventually(lambda: status_of(pool, 1).chain == "same")
        pool.follows(kept(chains[0]))
        await eventually(
            lambda: [provider.chain for provider in pool.status()] == ["other", "same", "same"]
        )
