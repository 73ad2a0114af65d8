"""Starting, restarting, giving up and terminating the children of a cluster supervisor."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from beamish import (
    AlreadyStartedError,
    ChildSpec,
    ExitError,
    GenServer,
    MaxChildrenError,
    NoProcessError,
    NotFoundError,
    Registry,
    StartError,
    process,
)
from beamish.cluster import Cluster, ClusterDynamicSupervisor, ClusterRegistry
from beamish.cluster._store.protocol import Name
from beamish.cluster.nodes import SLOTS, shard_of, slots_of
from beamish.cluster.registry import MAX_KEY_LENGTH
from beamish.testing.cluster import SimulatedCluster, simulate_cluster

from .servers import (
    ACCOUNTS,
    SUPERVISOR,
    Account,
    Fragile,
    Session,
    answer,
    backoff,
    bank,
    given_up,
    on_give_up,
    until,
)

LEASE = 2.0
SHARD = shard_of("a", 4)


def in_bank(body: Callable[[SimulatedCluster], Awaitable[None]], **options: Any) -> None:
    async def main(cluster: SimulatedCluster) -> None:
        async with bank(cluster, **options):
            await body(cluster)

    simulate_cluster(main, lease=LEASE)


def name(key: str) -> Name:
    return Name(ACCOUNTS, key)


# -- Starting


def test_second_start_raises_the_running_pid() -> None:
    async def body(cluster: SimulatedCluster) -> None:
        pid = await Account.open("a", opened=3)

        with pytest.raises(AlreadyStartedError) as caught:
            await Account.open("a", opened=9)
        assert caught.value.pid is pid
        assert await Account.add(pid) == 4

    in_bank(body)


@pytest.mark.seeds(5)
def test_concurrent_starts_of_a_name_succeed_once(seed: int) -> None:
    async def main(cluster: SimulatedCluster) -> None:
        async with bank(cluster):
            results = await asyncio.gather(
                *(Account.open("a", opened=number) for number in range(50)),
                return_exceptions=True,
            )

        refused = [result for result in results if isinstance(result, AlreadyStartedError)]
        assert len(refused) == 49

    simulate_cluster(main, seed)


def test_failed_start_raises_and_frees_the_name() -> None:
    async def body(cluster: SimulatedCluster) -> None:
        with pytest.raises(StartError, match="fragile"):
            await Fragile.open("a", fails=True)
        await Account.open("a")

        assert list(cluster.store.stored) == [name("a")]

    in_bank(body)


def test_undeclared_supervisor_and_registry_are_named() -> None:
    async def body(cluster: SimulatedCluster) -> None:
        spec = Account.child_spec("a", name=Account.via("a"))
        with pytest.raises(NoProcessError, match=r"supervisor 'nobody'.*child_spec"):
            await ClusterDynamicSupervisor.start_child("nobody", spec)
        spec = Account.child_spec("a", name=ClusterRegistry.via("nothing", "a"))
        with pytest.raises(NoProcessError, match="registry 'nothing'"):
            await ClusterDynamicSupervisor.start_child(SUPERVISOR, spec)
        assert cluster.store.stored == {}

    in_bank(body)


def test_spec_that_no_other_host_can_start_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Local(GenServer):
        pass

    async def start(spec: Any) -> None:
        await ClusterDynamicSupervisor.start_child(SUPERVISOR, spec)

    async def body(cluster: SimulatedCluster) -> None:
        with pytest.raises(TypeError, match="ClusterRegistry"):
            await start(Account.child_spec("a"))
        with pytest.raises(TypeError, match="ClusterRegistry"):
            await start(Account.child_spec("a", name=Registry.via("r", "a")))
        with pytest.raises(TypeError, match="top level"):
            await start(Local.child_spec(name=Account.via("a")))
        with pytest.raises(TypeError, match="picklable"):
            await start(Account.child_spec(lambda: 0, name=Account.via("a")))
        with pytest.raises(TypeError, match="ClusterRegistry"):
            await start(ChildSpec("x", asyncio.sleep))
        monkeypatch.setattr(Account, "__module__", "__main__")
        with pytest.raises(TypeError, match="__main__"):
            await start(Account.child_spec("a", name=Account.via("a")))

    in_bank(body)


def test_name_is_taken_only_by_the_supervisor() -> None:
    async def body(cluster: SimulatedCluster) -> None:
        with pytest.raises(TypeError, match="start_child"):
            await Account.start("a", name=Account.via("a"))

    in_bank(body)


@pytest.mark.parametrize("key", ["", "x" * (MAX_KEY_LENGTH + 1), "a\0b", "\ud800"])
def test_key_is_checked(key: str) -> None:
    with pytest.raises(ValueError, match="key of a cluster registry"):
        ClusterRegistry.via(ACCOUNTS, key)


def test_key_is_a_string() -> None:
    with pytest.raises(TypeError, match="got 7"):
        ClusterRegistry.via(ACCOUNTS, 7)  # type: ignore[arg-type]


# -- Ends


def test_ended_child_is_deleted_within_a_third_of_the_lease() -> None:
    async def body(cluster: SimulatedCluster) -> None:
        pid = await Account.open("a")
        await Account.open("b")

        await Account.end(pid)
        end = cluster.now + LEASE / 3 + 0.5
        await until(lambda: name("a") not in cluster.store.stored)

        assert cluster.now <= end
        assert name("b") in cluster.store.stored

    in_bank(body)


def test_name_of_an_ended_child_is_free_at_once() -> None:
    async def body(cluster: SimulatedCluster) -> None:
        for opened in range(5):
            pid = await Account.open("a", opened=opened)
            assert await Account.add(pid) == opened + 1
            await Account.end(pid)

    in_bank(body)


def test_child_that_crashes_too_often_is_given_up_and_can_be_started_again() -> None:
    async def body(cluster: SimulatedCluster) -> None:
        await Account.open("b")
        await Account.open("a")
        for _ in range(3):
            with pytest.raises(ExitError):
                await Account.crash(Account.via("a"))
        await until(lambda: cluster.store.stored[name("a")].given_up is not None)

        assert "boom" in str(cluster.store.stored[name("a")].given_up)
        with pytest.raises(NoProcessError):
            await Account.add(Account.via("a"))
        assert await Account.add(Account.via("b")) == 1
        assert await Account.add(await Account.open("a")) == 1

    in_bank(body, max_restarts=2)


def test_given_up_child_is_not_started_by_the_next_host() -> None:
    async def body(cluster: SimulatedCluster) -> None:
        await Account.open("a")
        with pytest.raises(ExitError):
            await Account.crash(Account.via("a"))
        await until(lambda: cluster.store.stored[name("a")].given_up is not None)

        cluster.kill_host(shard_of("a", 4))

        with pytest.raises(NoProcessError):
            await answer(lambda: Account.add(Account.via("a")))

    in_bank(body, max_restarts=0)


def test_too_many_restarts_can_end_the_host_with_all_its_children(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    siblings = [key for key in (f"key-{n}" for n in range(20)) if shard_of(key, 4) != SHARD]
    neighbour, slow, *_ = (k for k in (f"key-{n}" for n in range(50)) if shard_of(k, 4) == SHARD)
    # The end of the supervisor takes longer than storing a child that was given up.
    monkeypatch.setattr(Session, "hangs", True)

    async def body(cluster: SimulatedCluster) -> None:
        for key in ("a", neighbour, *siblings):
            await Account.open(key)
        await Session.open(slow)
        for key in ("a", neighbour):  # counted together
            with pytest.raises(ExitError):
                await Account.crash(Account.via(key))
        await until(lambda: cluster.store.rows[SHARD].epoch == 2)

        for key in ("a", neighbour):
            assert await answer(partial(Account.add, Account.via(key))) == 1
        assert {row.given_up for row in cluster.store.stored.values()} == {None}
        for key in siblings:
            assert (await Account.where(Account.via(key)))[2] == 1

    in_bank(body, max_restarts=1, intensity="supervisor")


def test_on_give_up_is_called_on_the_host() -> None:
    given_up.clear()

    async def body(cluster: SimulatedCluster) -> None:
        await Account.open("a")
        with pytest.raises(ExitError):
            await Account.crash(Account.via("a"))
        await until(lambda: cluster.store.stored[name("a")].given_up is not None)

    in_bank(body, max_restarts=0, on_give_up=on_give_up)

    assert given_up == [(("a",), "ValueError('boom')")]


def test_host_has_at_most_max_children() -> None:
    keys = [key for key in (f"key-{n}" for n in range(50)) if shard_of(key, 4) == SHARD]

    async def body(cluster: SimulatedCluster) -> None:
        await Account.open(keys[0])
        await Account.open(keys[1])
        with pytest.raises(MaxChildrenError):
            await Account.open(keys[2])
        await until(lambda: len(cluster.store.stored) == 2)
        await Account.end(Account.via(keys[0]))

        await Account.open(keys[2])
        cluster.kill_host(SHARD)
        assert await answer(lambda: Account.add(Account.via(keys[2]))) == 1

    in_bank(body, max_children=2)


@pytest.mark.parametrize("by", ["name", "pid"])
def test_terminate_child(by: str) -> None:
    async def body(cluster: SimulatedCluster) -> None:
        pid = await Account.open("a")
        process.monitor(pid)

        await ClusterDynamicSupervisor.terminate_child(
            SUPERVISOR, pid if by == "pid" else Account.via("a")
        )

        assert (await process.receive(10)).reason == "shutdown"
        assert cluster.store.stored == {}
        with pytest.raises(NotFoundError):
            await ClusterDynamicSupervisor.terminate_child(SUPERVISOR, pid)
        with pytest.raises(NotFoundError):
            await ClusterDynamicSupervisor.terminate_child(SUPERVISOR, Account.via("a"))

    in_bank(body)


def test_terminate_child_that_waits_for_its_restart() -> None:
    async def body(cluster: SimulatedCluster) -> None:
        pid = await Account.open("a")
        with pytest.raises(ExitError):
            await Account.crash(pid)
        with pytest.raises(NotFoundError):  # the pid is of a dead process
            await ClusterDynamicSupervisor.terminate_child(SUPERVISOR, pid)

        await ClusterDynamicSupervisor.terminate_child(SUPERVISOR, Account.via("a"))
        await asyncio.sleep(5)

        with pytest.raises(NoProcessError):
            await Account.add(Account.via("a"))

    in_bank(body, backoff=backoff())


def test_start_of_a_restarting_child_raises_a_pid_that_leads_to_it() -> None:
    async def body(cluster: SimulatedCluster) -> None:
        pid = await Account.open("a")
        with pytest.raises(ExitError):
            await Account.crash(pid)

        with pytest.raises(AlreadyStartedError) as caught:
            await Account.open("a")
        await asyncio.sleep(3)
        assert await Account.add(caught.value.pid) == 1

    in_bank(body, backoff=backoff())


def test_child_that_cannot_be_given_is_refused() -> None:
    async def body(cluster: SimulatedCluster) -> None:
        with pytest.raises(TypeError, match="pid or by"):
            await ClusterDynamicSupervisor.terminate_child(SUPERVISOR, "a")  # type: ignore[arg-type]
        with pytest.raises(NotFoundError):
            await ClusterDynamicSupervisor.terminate_child(SUPERVISOR, process.current())

    in_bank(body)


# -- The next host


def test_next_host_starts_the_stored_children() -> None:
    async def body(cluster: SimulatedCluster) -> None:
        ids = [f"key-{number}" for number in range(30)]
        for key in ids:
            await Account.open(key, opened=7)

        for shard in range(4):
            cluster.kill_host(shard)

        for key in ids:
            assert await answer(partial(Account.add, Account.via(key))) == 8

    in_bank(body)


def test_child_that_cannot_be_loaded_is_given_up() -> None:
    async def body(cluster: SimulatedCluster) -> None:
        await Account.open("a")
        row = cluster.store.stored[name("a")]
        row.child = row.child._replace(spec=row.child.spec.replace(b"Account", b"Missing"))

        cluster.kill_host(shard_of("a", 4))
        await until(lambda: cluster.store.stored[name("a")].given_up is not None)

        assert "Missing" in str(cluster.store.stored[name("a")].given_up)

    in_bank(body)


def test_failed_start_on_the_next_host_counts_as_a_crash() -> None:
    async def body(cluster: SimulatedCluster) -> None:
        await Fragile.open("a", fails=False)
        Fragile.broken = True
        try:
            cluster.kill_host(shard_of("a", 4))
            await until(lambda: cluster.store.stored[name("a")].given_up is not None)
        finally:
            Fragile.broken = False

        assert "fragile" in str(cluster.store.stored[name("a")].given_up)

    in_bank(body)


# -- Counts


def test_counts_and_keys_are_those_of_all_shards() -> None:
    async def body(cluster: SimulatedCluster) -> None:
        ids = {f"key-{number}" for number in range(20)}
        for key in ids:
            await Account.open(key)

        assert await ClusterRegistry.count(ACCOUNTS) == 20
        assert {key async for key in ClusterRegistry.keys(ACCOUNTS)} == ids
        assert (await ClusterDynamicSupervisor.count_children(SUPERVISOR)).active == 20
        children = [c async for c in ClusterDynamicSupervisor.which_children(SUPERVISOR)]
        assert {child.id.name[1] for child in children} == ids
        assert await Account.add(children[0].pid) == 1
        assert await ClusterRegistry.count("unknown") == 0

    in_bank(body)


@pytest.mark.parametrize("shards", [1, 2, 3, 7, 16, SLOTS])
def test_every_slot_belongs_to_one_shard(shards: int) -> None:
    slots = [slot for shard in range(shards) for slot in slots_of(shard, shards)]

    assert slots == list(range(SLOTS))
    assert all(
        slot * shards // SLOTS == shard
        for shard in range(shards)
        for slot in slots_of(shard, shards)
    )


def test_fence_is_only_on_hosts() -> None:
    async def body(cluster: SimulatedCluster) -> None:
        assert await Account.where(await Account.open("a")) == ("a", shard_of("a", 4), 1)
        with pytest.raises(NoProcessError, match="not a host"):
            Cluster.fence()

    in_bank(body)


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="max_restarts"):
        ClusterDynamicSupervisor.child_spec(name="s", max_restarts=-1)
    with pytest.raises(ValueError, match="intensity must be one of"):
        ClusterDynamicSupervisor.child_spec(name="s", intensity="host")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="max_children"):
        ClusterDynamicSupervisor.child_spec(name="s", max_children=-1)
    with pytest.raises(TypeError, match="define the function at the top level"):
        ClusterDynamicSupervisor.child_spec(name="s", on_give_up=lambda *_: None)
    with pytest.raises(ValueError, match="keys"):
        ClusterRegistry.child_spec(name="r", keys="duplicate")  # type: ignore[arg-type]
