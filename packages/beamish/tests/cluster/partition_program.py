"""A program that cuts a machine of a cluster off, and prints what it has checked.

``unshare --net --mount -- python partition_program.py all|head|store|lossy FOLDER``. The last line
of its output is ``ok CASE``.
"""

import asyncio
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import namespaces
import postgres
import ray
from ray_program import runs
from servers import Account, Bank, Clock, answer

from beamish import AlreadyStartedError, Down, Pid, process
from beamish.cluster import Cluster
from beamish.cluster.nodes import shard_of

SHARDS = 4
LEASE = 2.0
PATIENCE_SECONDS = 150.0
NAMES = [f"name-{number}" for number in range(100)]
CLOCKS = [f"clock-{number}" for number in range(100)]
# Whom the machine loses.
ALL = ("head", "store", "program", "two")
CASES = {"all": ALL, "head": ("head",), "store": ("store",), "lossy": ALL}
# The machine whose network loses, delays and reorders packets in the case of this name.
LOSSY = {"lossy": "one"}
CUT_SECONDS = 4 * LEASE
MESSAGES = 2000


async def up(machines: namespaces.Ray) -> None:
    """Start the nodes, and connect to Ray."""
    machines.start_head()
    await _connected(machines)
    for count, name in enumerate(("one", "two"), start=3):
        end = time.monotonic() + PATIENCE_SECONDS
        machines.start_node(name)
        while _alive() < count:
            assert time.monotonic() < end, f"machine {name} does not start"
            if machines.gave_up(name):
                machines.start_node(name)
            await asyncio.sleep(0.2)


def _alive() -> int:
    return sum(node["Alive"] for node in ray.nodes())


async def _connected(machines: namespaces.Ray) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    machines.start_node("program", hosts=False)
    options: dict[str, Any] = {
        "address": machines.address,
        "_node_ip_address": namespaces.MACHINES["program"],
        "namespace": "beamish",
        "log_to_driver": False,
    }
    while True:
        try:
            await asyncio.to_thread(lambda: ray.init(**options))
        except Exception:  # whatever Ray raises while its head or its node starts
            if time.monotonic() > end:
                raise
            ray.shutdown()
            if machines.gave_up("program"):
                machines.start_node("program", hosts=False)
            await asyncio.sleep(1)
        else:
            return


def acts(log: Path) -> list[tuple[float, int]]:
    """Return the times and epochs of the ticks of the clock, in the order of the file."""
    lines = [line.split() for line in log.read_text().splitlines()]
    return [(float(when), int(epoch)) for when, epoch in lines]


def check_order(log: Path) -> None:
    newest = 0
    for _, epoch in acts(log):
        assert epoch >= newest, "an old host has acted after the next one"
        newest = epoch


async def until(condition: Any, what: str) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.1)


class Case:
    """One cut: the machine that has the shard of the clock loses ``CASES[case]``."""

    def __init__(self, case: str, cluster: Cluster, log: Path) -> None:
        self.case = case
        self.cluster = cluster
        self.log = log

    async def epochs(self) -> list[int]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                shards = await self.cluster.shards()
                if all(info.state == "running" for info in shards):
                    return [info.epoch for info in shards]
                await asyncio.sleep(0.1)

    async def run(self) -> None:
        await asyncio.gather(*(Account.open(name) for name in NAMES))
        shard = await self._shard_on_machine_one()
        name = next(name for name in NAMES if shard_of(name, SHARDS) == shard)
        await Clock.open(next(key for key in CLOCKS if shard_of(key, SHARDS) == shard))
        await until(lambda: self.log.exists() and acts(self.log), "the clock does not tick")
        before = await self.epochs()
        if self.case in LOSSY:
            await self._messages_keep_their_order(name)
            await self._one_start_succeeds(shard)
        os_pid = await Account.os_pid(Account.via(name))
        ref = process.monitor(Account.via(name))
        for other in CASES[self.case]:
            namespaces.cut("one", other)
        cut = time.time()
        if self.case == "store":
            await self._nothing_moves(before, cut)
        else:
            down = await process.receive(PATIENCE_SECONDS)
            assert isinstance(down, Down), down
            assert (down.ref, down.reason) == (ref, "noconnection")
            await self._all_answer()
            assert (await Account.where(Account.via(name)))[2] > before[shard]
            await until(lambda: acts(self.log)[-1][1] > 1, "the clock does not tick elsewhere")
            for other in CASES[self.case]:
                namespaces.heal("one", other)
            await until(lambda: not runs(os_pid), "the old host runs on")
            await self._all_answer()
        check_order(self.log)

    async def _shard_on_machine_one(self) -> int:
        shards = {m.address: m.shards for m in await self.cluster.members() if m.alive}
        return shards[namespaces.MACHINES["one"]][0]

    async def _messages_keep_their_order(self, name: str) -> None:
        for number in range(MESSAGES):
            Account.note(Account.via(name), number)
        notes = await answer(lambda: Account.all_notes.timeout(60)(Account.via(name)))
        assert notes == sorted(set(notes)), notes
        print(f"{len(notes)} of {MESSAGES} messages have arrived", flush=True)

    async def _one_start_succeeds(self, shard: int) -> None:
        key = next(k for k in (f"one-{n}" for n in range(100)) if shard_of(k, SHARDS) == shard)
        results = await asyncio.gather(
            *(Account.open(key) for _ in range(100)), return_exceptions=True
        )
        assert sum(isinstance(result, Pid) for result in results) <= 1, results
        assert any(isinstance(result, AlreadyStartedError) for result in results), results
        print(Counter(type(result).__name__ for result in results), flush=True)

    async def _all_answer(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(*(answer(lambda n=n: Account.add(Account.via(n))) for n in NAMES))

    async def _nothing_moves(self, before: list[int], cut: float) -> None:
        await asyncio.sleep(CUT_SECONDS)
        last = acts(self.log)[-1][0]
        assert last - cut < CUT_SECONDS / 2, "it acts without the store"
        namespaces.heal("one", "store")
        await until(lambda: acts(self.log)[-1][0] > cut + CUT_SECONDS, "it does not act again")
        assert await self.epochs() == before
        await self._all_answer()


async def main(case: str, dsn: str, folder: Path) -> None:
    machines = namespaces.Ray(folder)
    try:
        await up(machines)
        joined = Cluster.join("test", store=dsn, shards=SHARDS, lease=LEASE)
        async with joined as cluster, Bank(), process.attach():
            await Case(case, cluster, folder / "clock").run()
    except BaseException:
        print(machines.logs())
        raise
    print(f"ok {case}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        namespaces.create(LOSSY.get(sys.argv[1], ""))
        with postgres.running(namespaces.STORE) as server:
            status = namespaces.continue_on("program", sys.argv[1], server.dsn, sys.argv[2])
        sys.exit(status)
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
    sys.stdout.flush()
    os._exit(0)
