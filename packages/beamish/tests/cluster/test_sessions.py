"""The sessions of a host, and the limits of a link."""

import asyncio
import logging
from typing import Any

import pytest

from beamish import ExitError
from beamish.cluster._host import sessions
from beamish.cluster._host.sessions import IDLE_SECONDS, Sessions
from beamish.cluster._node import link, wire
from beamish.testing.cluster import SimulatedCluster, simulate_cluster

from .servers import Account, bank


class Watched:
    """A process that remembers its watchers."""

    def __init__(self) -> None:
        self.watchers: list[Any] = []

    def watch(self, watcher: Any) -> None:
        self.watchers.append(watcher)

    def unwatch(self, watcher: Any) -> None:
        self.watchers.remove(watcher)


def test_old_session_of_a_program_ends_with_its_monitors() -> None:
    opened = Sessions()
    old = opened.open("program", 0.0)
    process = Watched()
    old.watch(1, process)

    new = opened.open("program", 1.0)

    assert opened.get(old.id, 2.0) is None
    assert opened.get(new.id, 2.0) is new
    assert process.watchers == []


def test_session_of_a_member_that_is_gone_ends() -> None:
    opened = Sessions()
    session = opened.open("program", 0.0)
    used = opened.open("other", 0.0)
    opened.get(used.id, IDLE_SECONDS)

    opened.expire(IDLE_SECONDS + 1)

    assert opened.get(session.id, 0.0) is None
    assert opened.of_program("program") is None
    assert opened.get(used.id, 0.0) is used


def test_too_many_events_end_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MAX_EVENTS", 3)
    opened = Sessions()
    session = opened.open("program", 0.0)

    for number in range(4):
        session.tell(number + 1, "reply", number)

    assert not session.is_open
    assert opened.get(session.id, 0.0) is None


def test_events_are_numbered() -> None:
    session = Sessions().open("program", 0.0)
    session.tell(7, "reply", "a")
    session.tell(8, "reply", "b")

    first = session.take(leaving=False)
    session.tell(9, "reply", "c")
    second = session.take(leaving=True)

    assert (first.first, [number for number, _ in first.content]) == (0, [7, 8])
    assert (second.first, [number for number, _ in second.content]) == (2, [9])
    assert session.has_unread
    session.arrived = 3
    assert not session.has_unread


def test_calls_fail_when_too_many_messages_wait_for_a_lost_host(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(cluster: SimulatedCluster) -> None:
        async with bank(cluster):
            pid = await Account.open("a")
            for node in cluster.nodes:
                cluster.kill(node)
            await asyncio.sleep(2)
            monkeypatch.setattr(link, "MAX_QUEUED", 5)
            for number in range(9):
                Account.note(pid, number)

            with pytest.raises(ExitError, match="noconnection"):
                await Account.add(pid)
            cluster.add_node()
            await asyncio.sleep(10)
            assert await Account.add(Account.via("a")) == 1

    with caplog.at_level(logging.ERROR, "beamish"):
        simulate_cluster(main)

    assert sum("messages wait for its host" in record.message for record in caplog.records) == 1


def test_message_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_MESSAGE_BYTES", 1_000)

    async def main(cluster: SimulatedCluster) -> None:
        async with bank(cluster):
            pid = await Account.open("a")
            with pytest.raises(ValueError, match="at most 1000 bytes"):
                Account.note(pid, "x" * 1_000)
            assert await Account.all_notes(pid) == []

    simulate_cluster(main)
