"""Clients that start, crash, stop and look up children all at once, in thousands of orders.

The state machines in this folder do one thing at a time, and know its result. Here several
clients go on at the same time, each seed in another order; so it is checked what holds whatever
the order: between two steps, what a client is told is possible; in the end, the supervisor, the
registries and the processes agree. ``BEAMISH_MODEL_SEEDS=100000`` tries as many.
"""

import asyncio
import logging
import os
import random
from collections.abc import Iterator
from typing import Any

import pytest

from beamish import (
    ChildSpec,
    DynamicSupervisor,
    ExitError,
    GenServer,
    NotFoundError,
    Pid,
    Registry,
    StartError,
    Supervisor,
    process,
)
from beamish.testing import find_race, settle

from .support import REASONS, AsyncPlayer, Player, outcome

KEYS = "abc"
CLIENTS = 4
ACTIONS = 6  # of each client
SEEDS = int(os.environ.get("BEAMISH_MODEL_SEEDS", "2000"))

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _quiet_logs() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def spec(key: str, restart: str = "transient") -> ChildSpec:
    """A child of either kind, which may refuse its first start."""
    cls = random.choice([Player, AsyncPlayer])
    name = Registry.via("registry", key, key)
    script = random.choice([[], [], [], ["ok", "raise"], ["raise"]])
    return cls.child_spec(key, script, name=name).replace(id=key, restart=restart)


def holder_of(key: str) -> Pid | None:
    """The process of ``key``; a registry never gives one that is dead."""
    pid = Registry.whereis("registry", key)
    assert pid is None or process.is_alive(pid)
    return pid


async def disturb(key: str) -> None:
    """End the process of ``key`` in one of many ways, or just talk to it."""
    via = Registry.via("registry", key)
    match random.randrange(7):
        case 0:
            answer = await outcome(Player.ask(via))
            assert answer == key or isinstance(answer, ExitError)
        case 1:
            assert isinstance(await outcome(Player.crash(via)), ExitError)
        case 2:
            Player.crash_later(via)
        case 3:
            Player.finish(via, random.choice(REASONS))
        case 4:
            answer = await outcome(GenServer.stop(via, random.choice(REASONS)))
            assert answer is None or isinstance(answer, ExitError)
        case 5 if pid := holder_of(key):
            process.exit(pid, random.choice(["kill", "boom", "shutdown"]))
        case _:
            await hang_and_give_up(via)


async def hang_and_give_up(via: Any) -> None:
    answer = await outcome(Player.hang.timeout(random.choice([0.001, 1.0]))(via))
    assert isinstance(answer, ExitError)
    if (pid := holder_of(via.name[1])) is not None:
        process.exit(pid, "boom")  # otherwise it would hang


async def several(client: Any) -> None:
    """Play ``client`` several times at once; it notes in a list what it does to each key."""
    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(client())
    await settle()


async def check_names(running: dict[str, Pid]) -> None:
    """The registry holds those that run, and nobody besides."""
    assert {key: holder_of(key) for key in KEYS if holder_of(key)} == running
    assert sorted(Registry.select("registry", lambda *_: True)) == sorted(
        (key, pid, key) for key, pid in running.items()
    )
    for key, pid in running.items():
        assert Registry.keys("registry", pid) == [key]
        assert await Player.ask(pid) == key


async def dynamic() -> None:
    await Registry.start_link(keys="unique", name="registry")
    # A child whose name another takes while it restarts can only be given up, as in OTP.
    supervisor = await DynamicSupervisor.start_link(max_restarts=50, intensity="child")
    gone: set[str] = set()  # what somebody may have ended for good

    async def client() -> None:
        for _ in range(ACTIONS):
            key = random.choice(KEYS)
            match random.randrange(4):
                case 0 | 1:
                    await start(key)
                case 2:
                    await disturb(key)
                case 3 if pid := holder_of(key):
                    gone.add(key)
                    answer = await outcome(DynamicSupervisor.terminate_child(supervisor, pid))
                    # One whose init still waits is known by its name, but is not a child yet.
                    assert isinstance(answer, NotFoundError) or not process.is_alive(pid)

    async def start(key: str) -> None:
        answer = await outcome(DynamicSupervisor.start_child(supervisor, spec(key, "permanent")))
        assert isinstance(answer, Pid | StartError)
        if isinstance(answer, Pid):
            started.add(key)

    started: set[str] = set()
    await several(client)

    children = await DynamicSupervisor.which_children(supervisor)
    running = {key: pid for key in KEYS if (pid := holder_of(key))}
    assert {child.pid for child in children} == set(running.values())
    assert set(running) >= started - gone
    await check_names(running)
    await end(supervisor, set(running.values()))


async def end(supervisor: Pid, children: set[Pid]) -> None:
    """All ends with the supervisor, and nothing else has been left behind."""
    me, registry = process.current(), process.whereis("registry")
    assert set(process.processes()) == {me, registry, supervisor, *children}
    await GenServer.stop(supervisor)
    assert process.processes() == sorted({me, registry})
    assert Registry.count("registry") == 0


def test_a_dynamic_supervisor_and_its_registry_agree_in_the_end() -> None:
    find_race(dynamic, seeds=range(SEEDS))


def static(strategy: Any) -> Any:
    async def main() -> None:
        await Registry.start_link(keys="unique", name="registry")
        supervisor = await start_supervisor(strategy)

        async def client() -> None:
            for _ in range(ACTIONS):
                await disturb(random.choice(KEYS))

        await several(client)

        children = await Supervisor.which_children(supervisor)
        assert [child.id for child in children] == list(KEYS)
        assert {child.status for child in children} == {"running"}
        running = {child.id: child.pid for child in children}
        await check_names(running)
        if strategy != "one_for_one":  # those after a child started after it, the last time too
            assert list(running.values()) == sorted(running.values())
        await end(supervisor, set(running.values()))

    return main


async def start_supervisor(strategy: Any) -> Pid:
    while True:  # until no first start is refused
        specs = [spec(key, "permanent") for key in KEYS]
        answer = await outcome(Supervisor.start_link(specs, strategy=strategy, max_restarts=10**9))
        if isinstance(answer, Pid):
            return answer
        assert isinstance(answer, StartError)
        assert Registry.count("registry") == 0


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
def test_a_supervisor_has_all_its_children_in_the_end(strategy: str) -> None:
    find_race(static(strategy), seeds=range(SEEDS))
