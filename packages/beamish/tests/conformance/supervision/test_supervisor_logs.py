"""What supervisors log: what a child did not report itself, and their own decisions."""

import asyncio
import logging

import pytest

from beamish import ChildSpec, DynamicSupervisor, Exit, GenServer, StartError, Supervisor, process

from .support import (
    MANY,
    Scripted,
    SlowToStop,
    Worker,
    crash,
    expect,
    kill,
    mailbox,
    pids,
    started,
)

TRACEBACK = "Traceback (most recent call last)"


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, logger="beamish")
    return caplog


def lines(log: pytest.LogCaptureFixture, *words: str) -> list[str]:
    """The messages of ``beamish`` that hold all the words, whatever their case."""
    texts = [r.getMessage() for r in log.records if r.name.startswith("beamish")]
    return [text for text in texts if all(word.lower() in text.lower() for word in words)]


def loud(log: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in log.records if r.levelno >= logging.WARNING]


def ticker(cls: type[Worker] = Worker, *args: object) -> ChildSpec:
    return cls.child_spec("ticker", process.current(), *args).replace(id="ticker")


async def test_crash_is_reported_once(log: pytest.LogCaptureFixture, worker: type[Worker]) -> None:
    """By the server, with its traceback; the supervisor does not report it again."""
    sup = await Supervisor.start_link([ticker(worker)])
    [pid] = await pids(sup, "ticker")

    worker.crash_later(pid, "out of ink")
    await mailbox()

    assert log.text.count(TRACEBACK) == 1
    assert "CrashError: out of ink" in log.text


async def test_crash_in_a_call_is_reported_once(log: pytest.LogCaptureFixture) -> None:
    sup = await Supervisor.start_link([ticker()])
    [pid] = await pids(sup, "ticker")

    await crash(pid, "out of ink")
    await mailbox()

    assert log.text.count(TRACEBACK) == 1


async def test_crash_under_a_dynamic_supervisor_is_reported_once(
    log: pytest.LogCaptureFixture,
) -> None:
    sup = await DynamicSupervisor.start_link()
    pid = await DynamicSupervisor.start_child(sup, ticker())

    await crash(pid, "out of ink")
    await mailbox()

    assert log.text.count(TRACEBACK) == 1


async def test_restart_is_logged(log: pytest.LogCaptureFixture) -> None:
    sup = await Supervisor.start_link([ticker()])
    [pid] = await pids(sup, "ticker")

    await crash(pid)
    await mailbox()

    assert len(lines(log, "restart", "ticker")) == 1


async def test_killed_child_is_logged_by_the_supervisor(log: pytest.LogCaptureFixture) -> None:
    """A killed child cannot report anything itself."""
    sup = await Supervisor.start_link([ticker()])
    [pid] = await pids(sup, "ticker")

    await kill(pid)
    await mailbox()

    assert lines(log, "killed", "ticker")


async def test_child_ended_by_a_signal_is_logged_by_the_supervisor(
    log: pytest.LogCaptureFixture,
) -> None:
    sup = await Supervisor.start_link([ticker()])
    [pid] = await pids(sup, "ticker")

    process.exit(pid, "cable pulled")
    await mailbox()

    assert lines(log, "cable pulled", "ticker")


async def test_temporary_child_that_is_killed_is_logged(log: pytest.LogCaptureFixture) -> None:
    sup = await DynamicSupervisor.start_link()
    pid = await DynamicSupervisor.start_child(sup, ticker().replace(restart="temporary"))

    await kill(pid)
    await mailbox()

    assert lines(log, "killed")


async def test_failed_restart_is_logged(
    log: pytest.LogCaptureFixture, scripted: type[Scripted]
) -> None:
    sup = await Supervisor.start_link([ticker(scripted, ["ok", "raise", "ok"])])
    [pid] = await pids(sup, "ticker")

    await crash(pid)
    await mailbox()

    assert "ticker cannot start" in log.text


async def test_giving_up_is_logged(log: pytest.LogCaptureFixture) -> None:
    process.flag(trap_exit=True)
    sup = await Supervisor.start_link([ticker()], max_restarts=0)
    [pid] = await pids(sup, "ticker")

    Worker.crash_later(pid)
    await expect(Exit, pid=sup)

    decisions = [text for text in loud(log) if "supervisor" in text.lower()]
    assert [text for text in decisions if "ticker" in text]


async def test_giving_up_one_child_is_logged(log: pytest.LogCaptureFixture) -> None:
    sup = await DynamicSupervisor.start_link(intensity="child", max_restarts=0)
    pid = await DynamicSupervisor.start_child(sup, ticker())

    await crash(pid)
    await mailbox()

    decisions = [text for text in loud(log) if "supervisor" in text.lower()]
    assert [text for text in decisions if "ticker" in text]


async def test_child_that_had_to_be_killed_is_logged(log: pytest.LogCaptureFixture) -> None:
    slow = ticker(SlowToStop, asyncio.Event()).replace(shutdown=0.01)
    sup = await Supervisor.start_link([slow])

    await Supervisor.stop(sup)

    assert [text for text in loud(log) if "ticker" in text and "kill" in text.lower()]


async def test_expected_ends_are_silent(
    log: pytest.LogCaptureFixture, worker: type[Worker]
) -> None:
    """House rule: exits with a clean reason are silent."""
    sup = await Supervisor.start_link([ticker(worker).replace(restart="transient")])
    [pid] = await pids(sup, "ticker")

    await GenServer.stop(pid)
    await Supervisor.restart_child(sup, "ticker")
    await Supervisor.terminate_child(sup, "ticker")
    await Supervisor.restart_child(sup, "ticker")
    await Supervisor.stop(sup)

    assert loud(log) == []


async def test_expected_ends_under_a_dynamic_supervisor_are_silent(
    log: pytest.LogCaptureFixture,
) -> None:
    sup = await DynamicSupervisor.start_link()
    spec = ticker().replace(restart="transient")
    one, two, _ = [await DynamicSupervisor.start_child(sup, spec) for _ in range(3)]

    await GenServer.stop(one, ("shutdown", "moved"))
    await DynamicSupervisor.terminate_child(sup, two)
    await DynamicSupervisor.stop(sup)

    assert loud(log) == []


async def test_failing_start_child_is_told_to_its_caller_and_not_as_a_storm(
    log: pytest.LogCaptureFixture,
) -> None:
    """The caller has the error; the log holds it once at most."""
    sup = await DynamicSupervisor.start_link()

    for _ in range(3):
        with pytest.raises(StartError):
            await DynamicSupervisor.start_child(sup, ticker(Scripted, ["raise"]))
    await mailbox()

    assert log.text.count(TRACEBACK) <= 3


async def test_repeated_crashes_of_one_child_are_summarised(
    log: pytest.LogCaptureFixture,
) -> None:
    """One report for a crash, never a storm."""
    sup = await Supervisor.start_link([ticker()], max_restarts=MANY)
    crashes = 200

    for _ in range(crashes):
        await crash((await pids(sup, "ticker"))[0])
        await started("ticker")

    assert 1 <= log.text.count(TRACEBACK) < crashes / 2


async def test_unexpected_messages_to_a_supervisor_are_logged_and_ignored(
    log: pytest.LogCaptureFixture,
) -> None:
    """OTP supervisor: unexpected messages are logged."""
    sup = await Supervisor.start_link([ticker()])
    before = await pids(sup, "ticker")

    process.send(sup, "how are you?")
    await mailbox()

    assert lines(log, "how are you?")
    assert await pids(sup, "ticker") == before
