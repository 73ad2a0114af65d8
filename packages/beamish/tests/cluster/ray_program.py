"""A program that runs a cluster on Ray, harms it, and prints what it has checked.

``test_ray.py`` runs it as a process of its own, because Ray leaves threads and settings behind:
``python ray_program.py DSN POSTMASTER FOLDER``. Each line of its output is ``ok NAME SECONDS``.
"""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import ray
from ray.cluster_utils import Cluster as RayCluster
from servers import Account, Bank, Clock, Session, answer

from beamish import AlreadyStartedError, Down, ExitError, process
from beamish.cluster import Cluster, ClusterRegistry
from beamish.cluster.nodes import shard_of

SHARDS = 4
NAMES = [f"name-{number}" for number in range(200)]
ORPHANS = [f"orphan-{number}" for number in range(10)]
LEASE = 2.0
# Ray's own defaults need 15 s to notice a lost node.
DETECTION = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 2000,
    "health_check_failure_threshold": 4,
}
STORE_BYTES = 80 * 2**20
PATIENCE_SECONDS = 120.0


class Machines:
    """The nodes of Ray on this machine."""

    def __init__(self) -> None:
        head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": STORE_BYTES}
        self._cluster = RayCluster(
            initialize_head=True, head_node_args={**head, "_system_config": DETECTION}
        )
        self.address: str = self._cluster.address
        self.nodes: dict[str, Any] = {}
        self.add()
        self.add()
        threading.Thread(target=self._reap, daemon=True).start()

    def add(self) -> str:
        """Start a node; return its id."""
        node = self._cluster.add_node(
            num_cpus=1, resources={"beamish_host": 1}, object_store_memory=STORE_BYTES
        )
        self.nodes[node.node_id] = node
        found: str = node.node_id
        return found

    def _reap(self) -> None:
        # A raylet that is dead, but whose parent has not asked for its status, counts as alive.
        while True:
            for node in list(self.nodes.values()):
                for processes in list(node.all_processes.values()):
                    for started in processes:
                        started.process.poll()
            time.sleep(0.1)

    def processes(self, node: str) -> list[int]:
        """Return the ids of the raylet of a node and of all that it has started."""
        return tree(self.nodes[node].all_processes["raylet"][0].process.pid)


def tree(pid: int) -> list[int]:
    """Return a process and its descendants."""
    found = [pid]
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return found
    for thread in threads:
        try:
            children = (thread / "children").read_text().split()
        except OSError:
            continue
        for child in children:
            found += tree(int(child))
    return found


def runs(pid: int) -> bool:
    """Return whether a process has not ended; a zombie has."""
    with suppress(OSError):
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return False


def send(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


class Checks:
    """The checks, in the order in which they run: each finds what the last one has left."""

    def __init__(self, cluster: Cluster, machines: Machines, postmaster: int, log: Path) -> None:
        self.cluster = cluster
        self.machines = machines
        self.postmaster = postmaster
        self.log = log

    async def node_of(self, shard: int) -> str:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                info = (await self.cluster.shards())[shard]
                if info.node is not None and info.state == "running":
                    return info.node
                await asyncio.sleep(0.1)

    async def epoch(self, key: str) -> int:
        found: int = (await answer(lambda: Account.where(Account.via(key))))[2]
        return found

    async def all_answer(self, names: list[str] = NAMES) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(*(answer(lambda n=n: Account.add(Account.via(n))) for n in names))

    # -- The checks

    async def start_names_on_all_hosts(self) -> None:
        await asyncio.gather(*(Account.open(name) for name in NAMES))
        assert await ClusterRegistry.count("accounts") == len(NAMES)
        await self.all_answer()

    async def start_one_name_at_once(self) -> None:
        results = await asyncio.gather(
            *(Account.open("one") for _ in range(200)), return_exceptions=True
        )
        refused = [result for result in results if isinstance(result, AlreadyStartedError)]
        assert len(refused) == 199, results
        await Account.end(Account.via("one"))

    async def call_cast_monitor_and_crash(self) -> None:
        pid = await Account.open("two")
        for number in range(50):
            Account.note(pid, number)
        assert await Account.all_notes(pid) == list(range(50))
        Account.tell(pid, process.current(), 7)
        assert await process.receive(PATIENCE_SECONDS) == (7, pid)
        process.monitor(pid)
        with suppress(ExitError):
            await Account.crash(pid)
        down = await process.receive(PATIENCE_SECONDS)
        assert isinstance(down, Down), down
        assert isinstance(down.reason, ValueError), down
        assert await Account.add(Account.via("two")) == 1
        assert await Account.end(Account.via("two")) == "bye"
        assert await Account.add_at(Account.via(NAMES[0]), NAMES[1]) > 0

    async def kill_a_host(self) -> None:
        name = NAMES[0]
        before = await self.epoch(name)
        process.monitor(Account.via(name))
        pid = await Account.os_pid(Account.via(name))
        os.kill(pid, signal.SIGKILL)
        assert (await process.receive(PATIENCE_SECONDS)).reason == "noconnection"
        await self.all_answer()
        assert await self.epoch(name) == before + 1

    async def freeze_a_node(self) -> None:
        await Clock.open("clock")
        shard = shard_of("clock", SHARDS)
        node = await self.node_of(shard)
        pids = self.machines.processes(node)
        send(pids, signal.SIGSTOP)
        try:
            await self.all_answer()
        finally:
            send(pids, signal.SIGCONT)
        self.machines.nodes.pop(node)
        self.machines.add()
        self.check_acts()

    async def freeze_a_raylet(self) -> None:
        shard = shard_of("clock", SHARDS)
        name = next(name for name in NAMES if shard_of(name, SHARDS) == shard)
        node = await self.node_of(shard)
        before = await self.epoch(name)
        old_host = await answer(lambda: Account.os_pid(Account.via(name)))
        raylet = self.machines.processes(node)[:1]
        send(raylet, signal.SIGSTOP)
        try:
            # Ray gives the node up, while its hosts run on: only the store can end them.
            async with asyncio.timeout(PATIENCE_SECONDS):
                while await self.epoch(name) == before or runs(old_host):
                    await asyncio.sleep(0.1)
        finally:
            send(raylet, signal.SIGCONT)
        self.machines.nodes.pop(node)
        self.machines.add()
        await self.all_answer()
        self.check_acts()

    def check_acts(self) -> None:
        """Check that no epoch acts after a newer one has acted."""
        newest = 0
        for line in self.log.read_text().splitlines():
            _, epoch = line.split()
            assert int(epoch) >= newest, "an old host has acted after the next one"
            newest = int(epoch)
        assert newest > 1

    async def kill_a_node(self) -> None:
        node = await self.node_of(0)
        send(self.machines.processes(node), signal.SIGKILL)
        await self.all_answer()
        assert await self.node_of(0) != node
        self.machines.nodes.pop(node)
        self.machines.add()

    async def move_shards_to_a_new_node(self) -> None:
        await self.cluster.rebalance(max_moves=SHARDS)
        await self.all_answer()
        counts = [len(m.shards) for m in await self.cluster.members() if m.shards]
        assert sum(counts) == SHARDS, counts

    async def drain_a_node_under_load(self) -> None:
        node = await self.node_of(0)
        draining = asyncio.ensure_future(self.cluster.drain(node, deadline=PATIENCE_SECONDS))
        calls = 0
        while not draining.done():
            calls += 1
            await Account.add.timeout(PATIENCE_SECONDS)(Account.via(NAMES[calls % len(NAMES)]))
        await draining
        assert calls > 0

    async def hand_state_over_in_a_drain(self) -> None:
        names = [f"session-{number}" for number in range(40)]
        await asyncio.gather(*(Session.open(name) for name in names))
        for name in names:
            await Session.add(Account.via(name), name)
        node = await self.node_of(shard_of(names[0], SHARDS))
        moved = [info.shard for info in await self.cluster.shards() if info.node == node]

        await self.cluster.drain(node, deadline=PATIENCE_SECONDS)

        for name in names:
            items = await answer(lambda name=name: Session.add(Account.via(name), 1))
            expected = [name, "terminated", 1] if shard_of(name, SHARDS) in moved else [name, 1]
            assert items == expected, (name, items)

    async def freeze_the_store(self) -> None:
        before = [info.epoch for info in await self.cluster.shards()]
        pids = tree(self.postmaster)
        send(pids, signal.SIGSTOP)
        try:
            await asyncio.sleep(3 * LEASE)
        finally:
            send(pids, signal.SIGCONT)
        await self.all_answer()
        assert [info.epoch for info in await self.cluster.shards()] == before

    async def block_a_loop(self) -> None:
        before = [info.epoch for info in await self.cluster.shards()]
        name, other = (next(n for n in NAMES if shard_of(n, SHARDS) == shard) for shard in (0, 1))
        block = Account.block.timeout(PATIENCE_SECONDS)
        blocked = asyncio.ensure_future(block(Account.via(name), 3 * LEASE))
        while not blocked.done():
            await Account.add.timeout(PATIENCE_SECONDS)(Account.via(other))
        await blocked
        await self.all_answer()
        assert [info.epoch for info in await self.cluster.shards()] == before

    async def kill_a_program(self) -> None:
        program = await asyncio.create_subprocess_exec(
            *(sys.executable, __file__, *sys.argv[1:], self.machines.address),
            stdout=asyncio.subprocess.PIPE,
        )
        assert program.stdout is not None
        assert await program.stdout.readline() == b"started\n"
        program.kill()
        await program.wait()
        for name in ORPHANS:
            assert await answer(lambda name=name: Account.add(Account.via(name))) == 2


CHECKS = [
    "start_names_on_all_hosts",
    "start_one_name_at_once",
    "call_cast_monitor_and_crash",
    "kill_a_host",
    "drain_a_node_under_load",
    "hand_state_over_in_a_drain",
    "freeze_the_store",
    "block_a_loop",
    "kill_a_program",
    "kill_a_node",
    "move_shards_to_a_new_node",
    "freeze_a_node",
    "freeze_a_raylet",
]


async def report(name: str, check: Callable[[], Awaitable[None]]) -> None:
    began = time.monotonic()
    await check()
    print(f"ok {name} {time.monotonic() - began:.1f}", flush=True)


async def main(dsn: str, postmaster: int, log: Path) -> None:
    machines = Machines()

    def join() -> Any:
        return Cluster.join("test", store=dsn, shards=SHARDS, address=machines.address, lease=LEASE)

    async with join() as cluster, Bank(), process.attach():
        checks = Checks(cluster, machines, postmaster, log)
        for name in CHECKS:
            await report(name, getattr(checks, name))

    async def find_the_names_again() -> None:
        async with join(), Bank():
            assert await answer(lambda: Account.add(Account.via(NAMES[0]))) > 0

    await report("find_the_names_again", find_the_names_again)
    ray.shutdown()


async def start_orphans(dsn: str, address: str) -> None:
    """Start names from another program, and wait to be killed."""
    async with Cluster.join("test", store=dsn, shards=SHARDS, address=address, lease=LEASE), Bank():
        for name in ORPHANS:
            await Account.open(name)
            await Account.add(Account.via(name))
        print("started", flush=True)
        await asyncio.sleep(1000)


if __name__ == "__main__":
    if len(sys.argv) == 5:
        asyncio.run(start_orphans(sys.argv[1], sys.argv[4]))
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
    sys.stdout.flush()
    os._exit(0)
