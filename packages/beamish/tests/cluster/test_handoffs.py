"""State that processes hand over when their shard moves."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from beamish import ExitError, GenServer
from beamish.cluster import Cluster, StoreUnavailableError
from beamish.cluster._store.memory import MemoryStore
from beamish.cluster._store.protocol import Name
from beamish.cluster.nodes import shard_of
from beamish.testing.cluster import SimulatedCluster, simulate_cluster

from .servers import ACCOUNTS, Account, Parent, Session, answer, bank, until

KEY = "a"
SHARD = shard_of(KEY, 4)
NAME = Name(ACCOUNTS, KEY)
VIA = Account.via(KEY)
END = ["terminated"]

Body = Callable[[SimulatedCluster, Cluster], Awaitable[None]]


@pytest.fixture(autouse=True)
def received(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bytes | None]]:
    found: list[tuple[str, bytes | None]] = []
    monkeypatch.setattr(Session, "received", found)
    return found


def in_bank(body: Body, seed: int = 0, **options: Any) -> None:
    async def main(cluster: SimulatedCluster) -> None:
        async with bank(cluster) as joined:
            await body(cluster, joined)

    simulate_cluster(main, seed, **options)


def node_of(cluster: SimulatedCluster) -> str:
    node = cluster.node_of(SHARD)
    assert node is not None
    return node


async def move(cluster: SimulatedCluster, joined: Cluster) -> None:
    """Move the shard of the key to another node."""
    await joined.drain(node_of(cluster))


# -- The state that the next process gets


@pytest.mark.seeds(10)
def test_state_moves_in_a_drain(seed: int) -> None:
    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        keys = [f"key-{number}" for number in range(120)]
        for key in keys:
            await Session.open(key)
            await Session.add(Account.via(key), key)
        moved = set()

        for node in cluster.nodes:
            moved |= {s for m in await joined.members() if m.id == node for s in m.shards}
            await joined.drain(node)

        assert moved == {0, 1, 2, 3}
        for key in keys:
            items = await Session.add(Account.via(key), 1)
            assert items[0] == key
            assert set(items[1:-1]) == {"terminated"}

    in_bank(body, seed)


def test_state_moves_in_a_rebalance() -> None:
    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        await Session.open(KEY)
        await Session.add(VIA, 1)
        cluster.add_node()
        while node_of(cluster) == "node-1":
            assert await joined.rebalance() == 1

        assert await Session.add(VIA, 2) == [1, *END, 2]

    in_bank(body, nodes=1, shards=4)


def test_state_moves_each_time() -> None:
    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        await Session.open(KEY)
        for number in range(4):
            await Session.add(VIA, number)
            await move(cluster, joined)

        assert await Session.add(VIA, 4) == [0, *END, 1, *END, 2, *END, 3, *END, 4]

    in_bank(body)


def test_lost_host_hands_nothing_over() -> None:
    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        await Session.open(KEY)
        await Session.add(VIA, 1)

        cluster.kill_host(SHARD)

        assert await answer(lambda: Session.add(VIA, 2)) == [2]

    in_bank(body)


def test_process_after_a_loss_gets_no_state_of_an_earlier_move() -> None:
    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        await Session.open(KEY)
        await move(cluster, joined)
        await Session.add(VIA, "newer than the state that was handed over")

        cluster.kill_host(SHARD)

        assert await answer(lambda: Session.add(VIA, 2)) == [2]

    in_bank(body)


def test_restart_after_a_crash_gets_no_state(
    received: list[tuple[str, bytes | None]],
) -> None:
    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        await Session.open(KEY)
        await move(cluster, joined)
        with pytest.raises(ExitError):
            await Session.crash(VIA)

        assert await Session.add(VIA, 2) == [2]

    in_bank(body)

    assert [state for _, state in received] == [None, b'["terminated"]', None]


def test_state_that_fails_init_is_not_given_to_the_restart(
    received: list[tuple[str, bytes | None]],
) -> None:
    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        await Session.open(KEY)
        await Session.add(VIA, "poison")

        await move(cluster, joined)

        assert await Session.add(VIA, 2) == [2]

    in_bank(body)

    assert [state for _, state in received] == [None, b'["poison", "terminated"]', None]


def test_servers_that_init_starts_do_not_get_the_state(
    received: list[tuple[str, bytes | None]],
) -> None:
    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        await Parent.open(KEY)
        await move(cluster, joined)

    in_bank(body)

    assert received == [(KEY, None), ("child", None), (KEY, b"of the parent"), ("child", None)]


def test_process_that_hands_nothing_over_starts_afresh() -> None:
    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        await Session.open(KEY)
        await Session.add(VIA, "old")
        await move(cluster, joined)
        cluster.kill_host(SHARD)
        await answer(lambda: Session.add(VIA, "nothing"))

        await move(cluster, joined)

        assert await Session.add(VIA, 2) == [2]

    in_bank(body)


@pytest.mark.parametrize(
    ("kind", "logged"),
    [
        ("raise", "raised"),
        ("text", "returned str; expected bytes or None"),
        ("large", "returned 262145 bytes; the limit is 262144"),
    ],
)
def test_process_that_cannot_hand_over_is_logged_and_its_siblings_still_do(
    kind: str, logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    siblings = [key for key in (f"key-{n}" for n in range(100)) if shard_of(key, 4) == SHARD]

    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        for key in [KEY, *siblings]:
            await Session.open(key)
        await Session.add(VIA, kind)

        await move(cluster, joined)

        assert await Session.add(VIA, 2) == [2]
        for key in siblings:
            assert await Session.add(Account.via(key), 2) == [*END, 2]

    with caplog.at_level(logging.ERROR, "beamish"):
        in_bank(body)

    (message,) = [r.getMessage() for r in caplog.records if "Session.handoff" in r.getMessage()]
    assert logged in message
    assert "starts without its state" in message


def test_process_that_had_to_be_killed_hands_nothing_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        await Session.open(KEY)
        await Session.add(VIA, 1)
        monkeypatch.setattr(Session, "hangs", True)

        await move(cluster, joined)

        assert await Session.add(VIA, 2) == [2]

    in_bank(body)


def test_terminated_child_hands_nothing_to_the_next_one_of_its_name() -> None:
    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        await Session.open(KEY)
        await Session.add(VIA, 1)
        await GenServer.stop(VIA)
        await Session.open(KEY)

        await move(cluster, joined)

        assert await Session.add(VIA, 2) == [*END, 2]

    in_bank(body)


# -- The store


def test_state_is_deleted_once_it_was_read() -> None:
    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        await Session.open(KEY)
        await move(cluster, joined)

        await until(lambda: cluster.store.stored[NAME].state is None)

    in_bank(body)


@pytest.mark.parametrize("method", ["hand_over", "take_states", "forget_states"])
@pytest.mark.parametrize("runs", [True, False])
def test_state_moves_although_the_answers_of_the_store_are_lost(
    method: str, runs: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = 3
    original = getattr(MemoryStore, method)

    async def unreliable(store: MemoryStore, *args: Any) -> Any:
        nonlocal lost
        lost -= 1
        if lost >= 0:
            if runs:
                await original(store, *args)
            raise StoreUnavailableError("lost")
        return await original(store, *args)

    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        await Session.open(KEY)
        await Session.add(VIA, 1)
        monkeypatch.setattr(MemoryStore, method, unreliable)

        await move(cluster, joined)

        assert await Session.add(VIA, 2) == [1, *END, 2]
        await move(cluster, joined)
        assert await Session.add(VIA, 3) == [1, *END, 2, *END, 3]

    in_bank(body, nodes=4)  # one shard on each: only the shard of the key moves


# -- A crash at every step

# In the order in which a move makes them, and whether the state survives a crash before.
STEPS = [
    ("hand_over", False),
    ("release", True),
    ("claim", True),
    ("children", True),
    ("take_states", True),
    ("forget_states", False),
]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", range(len(STEPS)))
def test_crash_at_a_step_never_brings_an_old_state(
    step: int,
    when: str,
    seed: int,
    monkeypatch: pytest.MonkeyPatch,
    received: list[tuple[str, bytes | None]],
) -> None:
    method, before = STEPS[step]
    survives = before if when == "before" else (*STEPS, ("", False))[step + 1][1]
    original = getattr(MemoryStore, method)
    crashed = False

    async def body(cluster: SimulatedCluster, joined: Cluster) -> None:
        async def crashing(store: MemoryStore, first: Any, *args: Any) -> Any:
            nonlocal crashed
            if crashed or first not in (SHARD, slots):
                return await original(store, first, *args)
            crashed = True
            if when == "before":
                cluster.kill_host(SHARD)
                raise StoreUnavailableError("the host is gone")
            result = await original(store, first, *args)
            cluster.kill_host(SHARD)
            return result

        slots = range(-(-SHARD * 16384 // 4), -(-(SHARD + 1) * 16384 // 4))
        await Session.open(KEY)
        await Session.add(VIA, 1)
        monkeypatch.setattr(MemoryStore, method, crashing)

        await move(cluster, joined)

        assert crashed
        items = await answer(lambda: Session.add(VIA, 2))
        assert items == ([1, *END, 2] if survives else [2])
        # It has acted since: another crash brings back nothing.
        cluster.kill_host(SHARD)
        assert await answer(lambda: Session.add(VIA, 3)) == [3]

    in_bank(body, seed, nodes=4)

    states = [state for _, state in received if state is not None]
    assert len(states) <= 1, "two processes got the same state"


# -- The class


def test_state_that_init_does_not_take_is_refused() -> None:
    with pytest.raises(TypeError, match=r"define `def init\(self, \*, handoff"):

        class Keeper(GenServer):
            def handoff(self) -> bytes:
                return b""


def test_async_handoff_is_refused() -> None:
    with pytest.raises(TypeError, match="must be a plain def"):

        class Keeper(GenServer):
            def init(self, *, handoff: bytes | None = None) -> None: ...

            async def handoff(self) -> bytes:  # type: ignore[override]
                return b""


async def test_server_of_one_program_gets_no_state() -> None:
    class Keeper(GenServer):
        def init(self, *, handoff: bytes | None) -> None:  # type: ignore[override]
            assert handoff is None

        def handoff(self) -> bytes:
            return b""

    pid = await Keeper.start()
    await GenServer.stop(pid)
