"""The measurements, in one run: the same names in one program, then in a cluster on Ray."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import ray

from beamish import ExitError, Registry
from beamish.cluster import Cluster, ClusterRegistry
from beamish.cluster.nodes import shard_of
from benchmarks.cluster.figures import CALLERS, FEW, Figures, Sizes
from benchmarks.cluster.names import REGISTRY, Named, Names, in_a_cluster, in_one_program

_STORE_BYTES = 80 * 2**20


async def measure(sizes: Sizes, dsn: str) -> Figures:
    """Measure everything.

    Args:
        sizes: How much.
        dsn: The connection string of an empty database.
    """
    keys = [f"name-{number}" for number in range(sizes.names)]
    alone = in_one_program()
    async with alone:
        start_alone = await _each(alone.open, keys)
        look_up_alone = await _look_up_alone(keys[: sizes.look_ups])
    ray.init(
        num_cpus=0,
        resources={"beamish_host": 1},
        include_dashboard=False,
        object_store_memory=_STORE_BYTES,
        namespace="beamish",
        log_to_driver=False,
    )
    try:
        joined = Cluster.join("names", store=dsn, shards=sizes.shards)
        names = in_a_cluster()
        async with joined, names:
            few = _of_shard(keys, sizes.shards)[:FEW]
            await _each(names.open, few)
            take_over_few = await _take_over(names, few)
            others = [key for key in keys if key not in set(few)]
            start = await _each(names.open, others)
            look_up_one = await _one_at_a_time(_look_up, keys[: sizes.look_ups // 20])
            look_up_many = await _each(_look_up, keys[: sizes.look_ups])
            mine = _of_shard(keys, sizes.shards)
            take_over = await _take_over(names, mine)
    finally:
        ray.shutdown()
    return Figures(
        sizes,
        (start_alone, start),
        (look_up_alone, look_up_one, look_up_many),
        len(mine),
        (take_over_few, take_over),
    )


def _of_shard(keys: Sequence[str], shards: int) -> list[str]:
    return [key for key in keys if shard_of(key, shards) == 0]


async def _each(do: Callable[[str], Awaitable[Any]], keys: Sequence[str]) -> float:
    """Return the seconds for each key, with `CALLERS` at once."""
    waiting = iter(keys)

    async def caller() -> None:
        for key in waiting:
            await do(key)

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(min(CALLERS, len(keys)))))
    return (time.perf_counter() - began) / len(keys)


async def _one_at_a_time(do: Callable[[str], Awaitable[Any]], keys: Sequence[str]) -> float:
    began = time.perf_counter()
    for key in keys:
        await do(key)
    return (time.perf_counter() - began) / len(keys)


async def _look_up(key: str) -> None:
    assert await ClusterRegistry.whereis(REGISTRY, key) is not None, key


async def _look_up_alone(keys: Sequence[str]) -> float:
    began = time.perf_counter()
    for key in keys:
        assert Registry.whereis(REGISTRY, key) is not None, key
    return (time.perf_counter() - began) / len(keys)


async def _take_over(names: Names, keys: Sequence[str]) -> float:
    """Kill the host of ``keys``; return the seconds until all of them answer."""
    pid = await Named.os_pid(names.via(keys[0]))
    os.kill(pid, signal.SIGKILL)
    began = time.perf_counter()

    async def answers(key: str) -> None:
        while True:
            try:
                assert await Named.os_pid.timeout(None)(names.via(key)) != pid
            except ExitError as error:  # sent to the host that was lost
                if error.reason != "noconnection":
                    raise
                await asyncio.sleep(0.05)
            else:
                return

    await asyncio.gather(*(answers(key) for key in keys))
    return time.perf_counter() - began
