"""Long schedules and long message queues, and ``debug.system_monitor``.

Source: https://www.erlang.org/doc/apps/erts/erlang.html#system_monitor/2
"""

import asyncio
import logging
import re
from types import SimpleNamespace

import pytest

from beamish import GenServer, call, cast, debug, process
from beamish._diagnostics import mailboxes

from .conftest import Ticks

pytestmark = pytest.mark.usefixtures("quick_watchdog")


class Blocker(GenServer):
    def __init__(self, ticks: Ticks) -> None:
        self.ticks = ticks

    @call(timeout=None)
    def block(self, seconds: float) -> None:
        self.ticks.block(seconds)

    @call(timeout=None)
    async def block_after_waiting(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.ticks.block(seconds)


class Busy(GenServer):
    """Handles one message for as long as it is not released."""

    def __init__(self) -> None:
        self.release = asyncio.Event()

    @cast
    async def wait(self) -> None:
        await self.release.wait()

    @cast
    def poke(self) -> None:
        pass

    @call
    def done(self) -> None:
        pass


def reports(caplog, what: str) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.getMessage().startswith(what)]


@pytest.mark.parametrize("direct", ["1", "0"])
@pytest.mark.parametrize("method", ["block", "block_after_waiting"])
async def test_callback_that_blocks_the_loop_is_reported_once(
    seen, ticks, until, caplog, monkeypatch, method, direct
) -> None:
    monkeypatch.setenv("BEAMISH_DIRECT", direct)
    pid = await Blocker.start(ticks)

    await getattr(Blocker, method)(pid, 0.2)
    await until(lambda: seen.of("process", "long_schedule"))

    (event,) = seen.of("process", "long_schedule")
    assert event.metadata["pid"] is pid
    assert event.metadata["class"] == "Blocker"
    assert event.metadata["callback"] == method
    assert "self.ticks.block(seconds)" in event.metadata["stack"]
    assert event.measurements["duration_seconds"] == pytest.approx(0.2)
    (record,) = reports(caplog, "long schedule")
    assert record.levelno == logging.WARNING
    assert f"Blocker {pid!r}" in record.getMessage()


async def test_report_of_a_blocked_loop_is_one_line_and_its_stack_is_for_debugging(
    ticks, caplog
) -> None:
    caplog.set_level(logging.DEBUG, "beamish")
    pid = await Blocker.start(ticks)

    await Blocker.block(pid, 0.2)

    (line,) = reports(caplog, "long schedule")
    assert re.fullmatch(
        r"long schedule: Blocker \S+ has blocked the event loop for at least \d+\.\d\d s "
        r"in block, at \S+conftest\.py:\d+",
        line.getMessage(),
    )
    (stack,) = reports(caplog, "stack of the long schedule")
    assert stack.levelno == logging.DEBUG
    assert "self.ticks.block(seconds)" in stack.getMessage()


async def test_spawned_process_that_blocks_is_reported(seen, ticks, until) -> None:
    async def block() -> None:
        await asyncio.sleep(0)
        ticks.block(0.2)

    pid = process.spawn(block)
    await until(lambda: seen.of("process", "long_schedule"))

    (event,) = seen.of("process", "long_schedule")
    assert event.metadata["pid"] is pid


async def test_many_short_steps_are_not_reported(ticks, caplog) -> None:
    """A task that is always running, but lets the loop go on, blocks nobody."""

    class Steady(GenServer):
        @call(timeout=None)
        async def work(self) -> None:
            for _ in range(5):
                ticks.block(0.015)
                await asyncio.sleep(0)

    await Steady.work(await Steady.start())

    assert reports(caplog, "long schedule") == []


async def test_many_short_callbacks_are_not_reported(ticks, caplog) -> None:
    pid = await Blocker.start(ticks)

    for _ in range(5):
        await Blocker.block(pid, 0.015)

    assert reports(caplog, "long schedule") == []


async def test_long_schedules_are_not_reported_when_switched_off(seen, ticks, caplog) -> None:
    debug.system_monitor(long_schedule=None)
    pid = await Blocker.start(ticks)

    await Blocker.block(pid, 0.15)

    assert seen.of("process", "long_schedule") == []
    assert reports(caplog, "long schedule") == []


async def test_mailbox_of_a_server_that_waits_is_reported_once(seen, until, caplog) -> None:
    debug.system_monitor(long_message_queue=10)
    pid = await Busy.start()
    Busy.wait(pid)
    await until(lambda: pid._process.task is not None)

    for _ in range(11):
        Busy.poke(pid)
    await until(lambda: seen.of("process", "long_message_queue"))
    for _ in range(11):
        Busy.poke(pid)
    await looked(until, pid)

    (event,) = seen.of("process", "long_message_queue")
    assert event.metadata == {"pid": pid, "class": "Busy"}
    assert event.measurements["messages"] > 10
    assert event.measurements["limit"] == 10
    (record,) = reports(caplog, "long message queue")
    assert record.levelno == logging.WARNING
    assert f"Busy {pid!r}" in record.getMessage()
    assert "wait" in record.getMessage()  # the callback it is in


async def looked(until, pid) -> None:
    """Wait until the watchdog has looked at the mailboxes twice from now on."""
    suspects = pid._runtime.suspects
    for _ in range(2):
        marker = await Busy.start()
        suspects[marker] = False  # idle: the watchdog forgets it when it looks
        await until(lambda marker=marker: marker not in suspects)


async def test_mailbox_is_reported_again_once_it_has_shrunk(seen, until) -> None:
    debug.system_monitor(long_message_queue=10)
    pid = await Busy.start()

    for reports_so_far in (1, 2):
        Busy.wait(pid)
        for _ in range(20):
            Busy.poke(pid)
        await until(lambda: len(seen.of("process", "long_message_queue")) >= reports_so_far)  # noqa: B023
        pid._process.server.release.set()
        await Busy.done(pid)
        pid._process.server.release.clear()
        await looked(until, pid)

    assert len(seen.of("process", "long_message_queue")) == 2


async def test_mailbox_of_a_suspended_server_is_reported(seen, until) -> None:
    debug.system_monitor(long_message_queue=10)
    pid = await Busy.start()
    await debug.suspend(pid)

    for _ in range(11):
        Busy.poke(pid)
    await until(lambda: seen.of("process", "long_message_queue"))

    await debug.resume(pid)
    await Busy.done(pid)


async def test_mailbox_of_a_process_that_does_not_receive_is_reported(seen, until) -> None:
    debug.system_monitor(long_message_queue=10)
    async with process.attach() as pid:
        for number in range(11):
            process.send(pid, number)
        await until(lambda: seen.of("process", "long_message_queue"))

    (event,) = seen.of("process", "long_message_queue")
    assert event.metadata == {"pid": pid, "class": "attached task"}


async def test_mailbox_that_grows_while_the_server_works_is_reported(seen, until) -> None:
    """A server that is never idle, with plain callbacks: the messages come faster than it works."""
    debug.system_monitor(long_message_queue=100)

    class Feeding(GenServer):
        stopped = False

        @cast
        def feed(self) -> None:
            if not self.stopped:
                Feeding.feed(self.pid)
                Feeding.feed(self.pid)

    pid = await Feeding.start()
    Feeding.feed(pid)
    await until(lambda: seen.of("process", "long_message_queue"))
    Feeding.stopped = True

    assert seen.of("process", "long_message_queue")[0].metadata["pid"] is pid
    process.exit(pid, "kill")


async def test_mailbox_within_the_limit_is_not_reported(seen, until) -> None:
    debug.system_monitor(long_message_queue=10)
    pid = await Busy.start()
    Busy.wait(pid)
    await until(lambda: pid._process.task is not None)

    for _ in range(10):
        Busy.poke(pid)
    await looked(until, pid)

    assert seen.of("process", "long_message_queue") == []
    pid._process.server.release.set()


async def test_few_of_very_many_suspects_are_looked_at_at_once() -> None:
    """Else a hundred thousand servers that wait would keep the watchdog busy, and the GIL."""
    pids = [await Busy.start() for _ in range(1200)]
    held = SimpleNamespace(suspects=dict.fromkeys(pids, False))

    left = []
    for _ in range(3):
        mailboxes.check(held)  # they are idle: each that is looked at is forgotten
        left.append(len(held.suspects))

    assert left == [700, 200, 0]


async def test_dead_suspects_are_forgotten(until) -> None:
    pid = await Busy.start()
    Busy.wait(pid)
    await until(lambda: pid in pid._runtime.suspects)

    process.exit(pid, "kill")

    await until(lambda: pid not in pid._runtime.suspects)


def test_limits_are_given_back_as_they_were() -> None:
    debug.system_monitor(long_schedule=1.0, long_message_queue=5)

    before = debug.system_monitor(long_message_queue=None)

    assert before == debug.Limits(1.0, 5)
    assert debug.system_monitor() == debug.Limits(1.0, None)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("long_schedule", 0),
        ("long_schedule", "1"),
        ("long_schedule", float("nan")),
        ("long_message_queue", 0),
        ("long_message_queue", 1.5),
        ("long_message_queue", True),
    ],
)
def test_limit_that_is_none_is_refused_and_changes_nothing(option: str, value: object) -> None:
    before = debug.system_monitor()

    with pytest.raises(ValueError, match=option):
        debug.system_monitor(**{option: value})

    assert debug.system_monitor() == before
