"""What is recorded while nobody looks."""

import asyncio
import logging
import subprocess
import sys

import pytest

from beamish import Pid, Supervisor, process
from beamish._snapshots import recorder as recording
from beamish._snapshots.recorder import MAX_CRASHES, MAX_SAMPLES, Recorder

from .support import Worker, read, until


async def crash(name: str, request: object = "a bad request") -> Pid:
    """Make a server crash, and return its successor."""
    before = process.whereis(name)
    Worker.cast(name, request)
    await until(lambda: process.whereis(name) not in (None, before))
    pid = process.whereis(name)
    assert pid is not None
    return pid


async def test_crash_is_kept_with_its_traceback(program: Pid) -> None:
    recorder = Recorder()
    recorder.begin()
    before = process.whereis("first")

    await crash("first")

    (kept,) = recorder.crashes
    assert (kept.pid, kept.class_name, kept.name) == (repr(before), "Worker", "'first'")
    assert kept.reason == "ValueError: a bad request"
    assert kept.traceback is not None
    assert "in handle_cast" in kept.traceback
    assert "hunter2" not in kept.message
    recorder.end()


async def test_successor_knows_the_crashes_of_the_processes_that_it_replaced(program: Pid) -> None:
    recorder = Recorder()
    recorder.begin()
    await crash("first", "one")
    await crash("second", "other")
    last = await crash("first", "two")

    found = await read("process", recorder, pid="first")

    assert found.pid is last
    assert found.restarts == 2
    assert [crash.reason for crash in found.crashes] == ["ValueError: two", "ValueError: one"]
    recorder.end()


async def test_restarts_and_crashes_are_counted(program: Pid) -> None:
    recorder = Recorder()
    recorder.begin()
    await crash("first")

    found = await read("overview", recorder)

    assert (found.crashes, found.restarts) == (1, 1)
    assert (await read("crashes", recorder, search="bad request")).total == 1
    assert (await read("crashes", recorder, search="other")).rows == []
    recorder.end()


def test_number_of_kept_crashes_is_limited() -> None:
    recorder = Recorder()
    for number in range(MAX_CRASHES + 5):
        record = logging.LogRecord("beamish", logging.ERROR, "", 0, "crash %d", (number,), None)
        assert recorder.filter(record) is True

    assert len(recorder.crashes) == MAX_CRASHES
    assert recorder.crashes[0].reason == "crash 5"
    assert recorder.crash_count == MAX_CRASHES + 5


def test_record_that_cannot_be_kept_still_reaches_the_log(
    capsys: pytest.CaptureFixture[str],
) -> None:
    recorder = Recorder()
    record = logging.LogRecord("beamish", logging.ERROR, "", 0, "crash %d", ("x",), None)

    assert recorder.filter(record) is True
    assert "TypeError" in capsys.readouterr().err


def test_warnings_are_not_crashes() -> None:
    recorder = Recorder()

    recorder.filter(logging.LogRecord("beamish", logging.WARNING, "", 0, "slow", (), None))

    assert recorder.crash_count == 0


def test_crash_report_reaches_standard_error_without_any_handler() -> None:
    program = (
        "import asyncio, logging\n"
        "from beamish._snapshots.recorder import Recorder\n"
        "async def main():\n"
        "    recorder = Recorder(); recorder.begin()\n"
        "    logging.getLogger('beamish').error('it crashed'); recorder.end()\n"
        "asyncio.run(main())\n"
    )

    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=True
    )

    assert ran.stderr == "it crashed\n"


async def test_samples_are_taken_without_viewers(
    program: Pid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "SAMPLE_SECONDS", 0.001)
    recorder = Recorder()
    recorder.begin()

    await until(lambda: len(recorder.samples) >= 3)

    sample = recorder.samples[-1]
    assert sample.processes == len(process.processes())
    assert sample.lag_seconds >= 0
    assert 0 <= sample.busy <= 1
    assert (sample.handled, sample.queued) == (None, None)
    assert recorder.samples.maxlen == MAX_SAMPLES
    recorder.end()


async def test_end_stops_the_samples(program: Pid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "SAMPLE_SECONDS", 0.001)
    recorder = Recorder()
    recorder.begin()
    await until(lambda: recorder.samples)

    recorder.end()
    count = len(recorder.samples)
    await asyncio.sleep(0.02)

    assert len(recorder.samples) == count
    assert recorder._timer is not None
    assert recorder._timer.cancelled()


async def test_second_begin_in_the_same_loop_changes_nothing(program: Pid) -> None:
    recorder = Recorder()
    recorder.begin()
    recorder.begin()
    await crash("first")

    assert (recorder.crash_count, recorder.restart_count) == (1, 1)
    recorder.end()
    recorder.end()


async def test_ordered_stop_of_a_child_is_not_a_crash(program: Pid) -> None:
    recorder = Recorder()
    recorder.begin()
    await Supervisor.terminate_child("Test.Pair", "first")

    assert recorder.crash_count == 0
    recorder.end()
