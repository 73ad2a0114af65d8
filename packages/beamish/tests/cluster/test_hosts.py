"""Hosts and nodes that are lost, paused, cut off, drained and moved."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from beamish import ExitError, NotFoundError, process
from beamish.cluster import (
    Cluster,
    ClusterDynamicSupervisor,
    ClusterRegistry,
    NodeDown,
    NodeUp,
    StoreUnavailableError,
)
from beamish.cluster.errors import HostLostError
from beamish.cluster.nodes import shard_of
from beamish.testing.cluster import SimulatedCluster, simulate_cluster
from beamish.testing.cluster.engine import SimulatedEngine, SimulatedPort

from .servers import ACCOUNTS, SUPERVISOR, Account, Clock, answer, bank, until

LEASE = 2.0
SHARD = shard_of("a", 4)


def in_bank(
    body: Callable[[SimulatedCluster, Cluster], Awaitable[None]], seed: int = 0, **options: Any
) -> None:
    async def main(cluster: SimulatedCluster) -> None:
        async with bank(cluster) as joined:
            await body(cluster, joined)

    simulate_cluster(main, seed, lease=LEASE, **options)


def node_of(cluster: SimulatedCluster, shard: int = SHARD) -> str:
    node = cluster.node_of(shard)
    assert node is not None
    return node


# -- Losses


@pytest.mark.seeds(5)
def test_names_of_a_killed_node_run_on_another_one(seed: int) -> None:
    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        pid = await Account.open("a")
        ref = process.monitor(pid)
        call = asyncio.ensure_future(Account.slow.timeout(60)(pid, 30.0))
        await asyncio.sleep(1)
        node = node_of(cluster)

        cluster.kill(node)
        with pytest.raises(ExitError) as caught:
            await call
        assert caught.value.reason == "noconnection"
        down = await process.receive(30)
        assert (down.ref, down.reason) == (ref, "noconnection")

        assert await Account.add.timeout(30)(Account.via("a")) == 1
        assert (await Account.where(Account.via("a")))[2] == 2
        assert node_of(cluster) != node

    in_bank(body, seed)


def test_call_that_was_not_sent_waits_for_the_next_host() -> None:
    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        await Account.open("a")
        cluster.kill(node_of(cluster))
        await asyncio.sleep(1)  # the link has noticed it, and the next host does not run yet

        assert await Account.add.timeout(30)(Account.via("a")) == 1

    in_bank(body)


def test_paused_host_does_not_act_after_its_successor() -> None:
    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        Clock.ticks.clear()
        Clock.now = lambda: cluster.now
        await Clock.open("a")
        await asyncio.sleep(1)
        cluster.pause(node_of(cluster), 20)

        await asyncio.sleep(40)

        epochs = [epoch for _, epoch in Clock.ticks]
        assert epochs == sorted(epochs)
        assert set(epochs) == {1, 2}

    in_bank(body)


def test_host_without_its_store_stops_acting_and_goes_on_later() -> None:
    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        Clock.ticks.clear()
        Clock.now = lambda: cluster.now
        await Clock.open("a")
        await asyncio.sleep(1)
        node = node_of(cluster)
        cluster.cut(node, "store")
        cut = cluster.now

        await asyncio.sleep(20)
        acts = [time for time, _ in Clock.ticks if time > cut]
        assert max(acts) <= cut + 0.9 * LEASE
        cluster.heal(node, "store")
        await asyncio.sleep(10)

        assert Clock.ticks[-1][0] > cut + 20
        assert {epoch for _, epoch in Clock.ticks} == {1}
        assert node_of(cluster) == node

    in_bank(body)


def test_host_whose_shard_was_taken_over_ends() -> None:
    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        await Account.open("a")

        await cluster.store.claim(SHARD, LEASE, "another", "another")

        await until(lambda: cluster.store.rows[SHARD].epoch == 3)
        assert await answer(lambda: Account.add(Account.via("a"))) == 1

    in_bank(body)


def test_next_host_does_not_act_before_the_lease_of_the_last_is_over() -> None:
    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        Clock.ticks.clear()
        Clock.now = lambda: cluster.now
        await Clock.open("a")
        for _ in range(3):
            await asyncio.sleep(5)
            expires = cluster.store.rows[SHARD].expires
            cluster.kill_host(SHARD)
            killed = cluster.now
            await until(lambda killed=killed: Clock.ticks[-1][0] > killed)  # type: ignore[misc]

            first = min(time for time, _ in Clock.ticks if time > killed)
            assert first >= expires

    in_bank(body, detection=0.0)


def test_start_without_the_store_raises() -> None:
    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        await Account.open("a")
        cluster.pause("store", 30)

        with pytest.raises((StoreUnavailableError, ExitError)):
            await Account.open("b")
        await asyncio.sleep(40)
        assert await Account.add(Account.via("a")) == 1

    in_bank(body)


def test_crash_of_the_hosts_own_supervisor_ends_the_host() -> None:
    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        pid = await Account.open("a")

        with pytest.raises(ExitError):
            await Account.kill_supervisor(pid)

        await until(lambda: cluster.store.rows[SHARD].epoch == 2)
        assert await answer(lambda: Account.add(Account.via("a"))) == 1

    in_bank(body)


# -- Moves


@pytest.mark.seeds(10)
def test_drain_moves_every_shard_and_loses_no_call(seed: int) -> None:
    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        for number in range(12):
            await Account.open(f"id-{number}")
        Account.terminated.clear()
        draining = asyncio.ensure_future(joined.drain(node_of(cluster, 0)))
        node = node_of(cluster, 0)
        began = cluster.now

        calls = 0
        while not draining.done():
            calls += 1
            await Account.add.timeout(20)(Account.via(f"id-{calls % 12}"))
        await draining

        assert all(node_of(cluster, shard) != node for shard in range(4))
        assert Account.terminated
        assert set(Account.terminated) == {"shutdown"}
        assert cluster.now - began < 2 * LEASE  # no shard waits for a lease
        assert await cluster_count(joined) == 12

    in_bank(body, seed)


async def cluster_count(joined: Cluster) -> int:
    return sum(info.names for info in await joined.shards())


@pytest.mark.parametrize("left", [True, False])
def test_shard_moves_once_although_an_answer_of_its_host_is_lost(
    left: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave, lost = SimulatedPort.leave, []

    async def losing(port: SimulatedPort) -> None:
        if lost:
            await leave(port)
            return
        lost.append(port)
        if left:
            await leave(port)
            await asyncio.sleep(10)  # until the next host runs
        raise HostLostError("connection reset")

    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        await Account.open("a")
        monkeypatch.setattr(SimulatedPort, "leave", losing)

        await joined.drain(node_of(cluster))

        assert cluster.store.rows[SHARD].epoch == 2
        assert await answer(lambda: Account.add(Account.via("a"))) == 1

    in_bank(body, nodes=4)


def test_host_that_has_left_ends_although_nobody_ends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def lost(engine: SimulatedEngine, shard: int) -> None:
        await asyncio.sleep(1000)

    monkeypatch.setattr(SimulatedEngine, "restart", lost)

    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        await Account.open("a")
        with pytest.raises(TimeoutError):
            await joined.drain(node_of(cluster), deadline=2.0)

        assert await answer(lambda: Account.add(Account.via("a"))) == 1

    in_bank(body, nodes=4)  # so that the node has no other shard


# Not ``seeds``: only some of them end the host before its replies have arrived.
@pytest.mark.parametrize("seed", range(10))
def test_monitored_process_of_a_drained_node_is_shut_down(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_flight: list[bool] = []
    restart = SimulatedEngine.restart

    async def recorded(engine: SimulatedEngine, shard: int) -> None:
        host = engine.places[shard].host
        assert host is not None
        in_flight.append(any(session.has_unread for session in host._sessions))
        await restart(engine, shard)

    monkeypatch.setattr(SimulatedEngine, "restart", recorded)

    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        process.monitor(await Account.open("a"))

        await joined.drain(node_of(cluster))

        assert (await process.receive(10)).reason == "shutdown"

    in_bank(body, seed)

    # Otherwise the end of the host would overtake what it has sent.
    assert in_flight
    assert not any(in_flight)


def test_child_of_a_drained_node_stays_stored() -> None:
    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        name = ClusterRegistry.via(ACCOUNTS, "a")
        # A supervisor does not restart it: for its supervisor, it has ended for good.
        spec = Account.child_spec("a", name=name).replace(restart="temporary")
        await ClusterDynamicSupervisor.start_child(SUPERVISOR, spec)

        await joined.drain(node_of(cluster))

        assert await Account.add(name) == 1

    in_bank(body)


def test_drain_of_an_unknown_node_is_refused() -> None:
    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        with pytest.raises(NotFoundError, match="'nowhere'"):
            await joined.drain("nowhere")

    in_bank(body)


def test_rebalance_moves_shards_to_a_new_node() -> None:
    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        await Account.open("a")
        node = cluster.add_node()

        assert await joined.rebalance(max_moves=1) == 1
        assert [len(member.shards) for member in await joined.members()] == [3, 1]
        assert await joined.rebalance(max_moves=5) == 1
        assert await joined.rebalance() == 0
        assert {member.id: len(member.shards) for member in await joined.members()}[node] == 2
        assert await Account.add(Account.via("a")) == 1

    in_bank(body, nodes=1)


# -- Nodes


def test_monitored_nodes_send_messages() -> None:
    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        await asyncio.sleep(2)
        joined.monitor_nodes()

        node = cluster.add_node()
        assert await process.receive(10) == NodeUp(node)
        cluster.kill("node-1")
        assert await process.receive(10) == NodeDown("node-1", "noconnection")
        joined.monitor_nodes(False)
        cluster.kill("node-2")
        with pytest.raises(TimeoutError):
            await process.receive(10)

    in_bank(body)


def test_members_and_shards() -> None:
    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        await Account.open("a")

        shards = await joined.shards()
        assert [(info.shard, info.epoch, info.state) for info in shards] == [
            (shard, 1, "running") for shard in range(4)
        ]
        assert sum(info.names for info in shards) == 1
        members = await joined.members()
        assert [member.id for member in members] == ["node-1", "node-2", "node-3"]
        assert sorted(shard for member in members for shard in member.shards) == [0, 1, 2, 3]

    in_bank(body)


def test_frozen_shard_is_shown_as_moving() -> None:
    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        await Account.open("a")
        cluster.pause(node_of(cluster), 60)
        began = cluster.now

        shards = await joined.shards()

        assert shards[SHARD].state == "moving"
        assert cluster.now < began + 10

    in_bank(body, detection=1000.0)


# -- Joining


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": ""}, "name of a cluster"),
        ({"name": "x" * 101}, "name of a cluster"),
        ({"name": "a\nb"}, "name of a cluster"),
        ({"shards": 0}, "shards"),
        ({"shards": 20_000}, "at most"),
        ({"lease": 0.1}, "lease"),
    ],
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    async def main() -> None:
        async with Cluster.join(**{"name": "c", "store": None, "placement": None, **options}):
            pass

    with pytest.raises(ValueError, match=message):
        asyncio.run(main())


def test_program_is_a_member_once() -> None:
    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        with pytest.raises(RuntimeError, match="already"):
            async with cluster.join():
                pass

    in_bank(body)


def test_number_of_shards_is_fixed_while_the_cluster_runs() -> None:
    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        await Account.open("a")

        with pytest.raises(ValueError, match="4 shards; got shards=8"):
            await cluster.store.prepare(8)

    in_bank(body)
