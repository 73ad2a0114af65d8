"""The same seed is the same interleaving, in every run of the program."""

import os
import subprocess
import sys

import pytest

from beamish.testing import simulate

# Everything whose order Python may take from hashes and addresses: sets of strings and of tasks.
PROGRAM = """
import asyncio, logging, random
from beamish import DynamicSupervisor, GenServer, Registry, Backoff, call, cast, process
from beamish.testing import simulate, settle

logging.disable()

class Worker(GenServer):
    def __init__(self, key):
        self.key = key

    @call
    async def work(self):
        await asyncio.sleep(random.random())
        return self.key

    @cast
    def crash(self):
        raise RuntimeError(self.key)

async def main():
    await Registry.start_link(keys="unique", name="keys")
    backoff = Backoff(initial=0.5)
    await DynamicSupervisor.start_link(name="workers", backoff=backoff, max_restarts=100)
    vias = [Registry.via("keys", key) for key in "abcdef"]
    for via in vias:
        await DynamicSupervisor.start_child("workers", Worker.child_spec(via.name, name=via))
    try:
        async with asyncio.timeout(2.5), asyncio.TaskGroup() as group:
            for via in vias:
                group.create_task(Worker.work(via))
                group.create_task(asyncio.sleep(3600))
    except TimeoutError:
        pass
    for via in vias[:3]:
        Worker.crash(via)
    await asyncio.wait([asyncio.create_task(Worker.work(via)) for via in vias[3:]])
    await asyncio.sleep(10)
    await settle()
    return [Registry.whereis("keys", key) for key in "abcdef"]

for seed in range(5):
    print(simulate(main, seed, trace=print))
"""


def run(hash_seed: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_a_seed_gives_the_same_trace_whatever_the_hashes_are() -> None:
    first = run("1")

    assert len(first.splitlines()) > 500
    assert run("2") == first


def test_a_seed_gives_the_same_trace_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    scope: dict[str, object] = {}
    program = PROGRAM.replace("logging.disable()", "").split("for seed in")[0]
    exec(program, scope)
    traces: list[list[str]] = [[], [], []]

    for trace in traces:
        simulate(scope["main"], 7, trace=trace.append)  # type: ignore[arg-type]

    assert len(traces[0]) > 100
    assert traces[0] == traces[1] == traces[2]
