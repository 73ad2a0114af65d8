"""Processes that take and give back names all at once, and die, in thousands of orders."""

import random
from collections import Counter
from typing import Any

import pytest

from beamish import (
    AlreadyRegisteredError,
    Pid,
    Registered,
    Registry,
    Unregistered,
    process,
)
from beamish._runtime.message_queue import NOTHING
from beamish.testing import find_race, settle

from .test_interleavings import SEEDS

KEYS = "abc"
MEMBERS = 5
ACTIONS = 8  # of each member

pytestmark = pytest.mark.slow


class Member:
    """A process that notes what it holds, as far as it lives to tell."""

    def __init__(self) -> None:
        self.one: dict[str, int] = {}  # of the unique registry, with values
        self.many: list[tuple[str, int]] = []  # of the duplicate one

    async def live(self) -> None:
        for number in range(ACTIONS):
            self.act(random.choice(KEYS), number)
            await give_way()
        await process.receive()  # until it is killed

    def act(self, key: str, number: int) -> None:
        match random.randrange(5):
            case 0 | 1:
                self.take(key, number)
            case 2:
                Registry.unregister("unique", key)
                self.one.pop(key, None)
            case 3:
                Registry.register("duplicate", key, number)
                self.many.append((key, number))
            case 4:
                Registry.unregister("duplicate", key)
                self.many = [entry for entry in self.many if entry[0] != key]

    def take(self, key: str, number: int) -> None:
        try:
            Registry.register("unique", key, number)
        except AlreadyRegisteredError as taken:
            holder = taken.pid
        else:
            holder = process.current()
            self.one[key] = number
        assert process.is_alive(holder)
        assert Registry.whereis("unique", key) == holder


async def give_way() -> None:
    """Yield to other tasks for a random number of turns."""
    for _ in range(random.randrange(4)):
        process.send(process.current(), "go on")
        assert await process.receive() == "go on"


async def main() -> None:
    for keys in ("unique", "duplicate"):
        await Registry.start_link(keys=keys, name=keys, listeners=["listener"])
    process.register(process.current(), "listener")
    members = {process.spawn(member.live): member for member in (Member() for _ in range(MEMBERS))}
    for _ in range(MEMBERS // 2):
        await give_way_here()
        process.exit(random.choice(list(members)), "kill")

    await settle()

    alive = {pid: member for pid, member in members.items() if process.is_alive(pid)}
    compare(alive)
    compare_what_the_listener_heard()
    await end_the_registries(alive)


async def give_way_here() -> None:
    for _ in range(random.randrange(10)):
        process.send(process.current(), "go on")
        await process.receive(match=lambda message: message == "go on")


def compare(alive: dict[Pid, Member]) -> None:
    """The registries hold what the living hold, and nothing of the dead."""
    unique = {(key, pid, value) for pid, m in alive.items() for key, value in m.one.items()}
    duplicate = Counter((key, pid, value) for pid, m in alive.items() for key, value in m.many)
    assert set(Registry.select("unique", everything)) == unique
    assert Counter(Registry.select("duplicate", everything)) == duplicate
    for pid, member in alive.items():
        assert sorted(Registry.keys("unique", pid)) == sorted(member.one)


def everything(key: Any, pid: Pid, value: Any) -> bool:
    return True


def compare_what_the_listener_heard() -> None:
    """Each key of the unique registry was taken and given back by turns; death is not told."""
    holders: dict[str, Pid] = {}
    while True:
        match heard():
            case Registered("unique", key, pid, _):
                assert key not in holders or not process.is_alive(holders[key])
                holders[key] = pid
            case Unregistered("unique", key, pid):
                assert holders.pop(key) == pid
            case None:
                break
    held = {key: pid for key, pid, _ in Registry.select("unique", everything)}
    assert {key: pid for key, pid in holders.items() if process.is_alive(pid)} == held


def heard() -> Any:
    message = process.current()._process._mailbox.take_first()
    return None if message is NOTHING else message


async def end_the_registries(alive: dict[Pid, Member]) -> None:
    """Who holds a key dies with its registry; the others live on."""
    holders = {pid for pid, member in alive.items() if member.one or member.many}
    process.flag(trap_exit=True)
    for name in ("unique", "duplicate"):
        registry = process.whereis(name)
        assert registry is not None
        process.exit(registry, "kill")
    await settle()
    assert {pid for pid in alive if process.is_alive(pid)} == alive.keys() - holders


def test_registries_hold_what_the_living_hold() -> None:
    find_race(main, seeds=range(SEEDS))
