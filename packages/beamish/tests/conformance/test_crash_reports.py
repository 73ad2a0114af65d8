"""Crash reports: one for a crash, with everything that is needed to understand it.

Source: Elixir ``GenServer`` and ``Logger``: the report "GenServer ... terminating".
"""

import asyncio
import gc
import logging

import pytest

from beamish import ExitError, From, GenServer, Pid, Stop, call, process


class Account(GenServer):
    def __init__(self, owner: str = "someone") -> None:
        self.owner = owner

    @call
    def withdraw(self, amount: int) -> int:
        raise ValueError("not enough money")

    def handle_call(self, request: object, from_: From) -> object:
        match request:
            case ("link", Pid() as pid):
                process.link(pid)
                return None
            case Stop():
                return request
        raise ValueError("not enough money")

    async def handle_cast(self, request: object) -> None:
        await asyncio.sleep(0)
        raise ValueError("not enough money")

    def handle_info(self, message: object) -> None:
        raise ValueError("not enough money")


class Secretive(Account):
    def __init__(self) -> None:
        self.password = "hunter2"

    def format_status(self, status: object) -> object:
        return {"state": "hidden by format_status"}


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no representation")


@pytest.fixture
def reports(caplog):
    """Return a function that returns the error records of the logger ``beamish``."""
    caplog.set_level(logging.DEBUG, logger="beamish")

    def errors() -> list[logging.LogRecord]:
        return [
            record
            for record in caplog.records
            if record.name.split(".")[0] == "beamish" and record.levelno >= logging.ERROR
        ]

    return errors


def text(record: logging.LogRecord) -> str:
    """Everything the record says: its message, its traceback and its ``extra``."""
    formatted = logging.Formatter().format(record)
    return formatted + repr({key: str(value) for key, value in vars(record).items()})


async def crash(pid: Pid) -> None:
    with pytest.raises(ExitError):
        await Account.withdraw(pid, 500)


async def test_crash_in_a_call_is_reported_once(reports) -> None:
    await crash(await Account.start())

    assert len(reports()) == 1


@pytest.mark.parametrize("way", [GenServer.cast, process.send])
async def test_crash_outside_a_call_is_reported_once(way, reports) -> None:
    async with process.attach():
        pid = await Account.start()
        process.monitor(pid)

        way(pid, "request")
        await process.receive(timeout=50)

        assert len(reports()) == 1


async def test_report_tells_who_crashed(reports) -> None:
    pid = await Account.start(name="account of ann")

    await crash(pid)

    report = text(reports()[0])
    assert repr(pid) in report
    assert "Account" in report
    assert "account of ann" in report


async def test_report_has_the_reason_with_its_traceback(reports) -> None:
    await crash(await Account.start())

    formatted = logging.Formatter().format(reports()[0])
    assert "ValueError: not enough money" in formatted
    assert "Traceback (most recent call last)" in formatted
    assert "in withdraw" in formatted


async def test_report_has_the_last_message(reports) -> None:
    async with process.attach():
        pid = await Account.start()
        process.monitor(pid)

        process.send(pid, "message 1234")
        await process.receive(timeout=50)

        assert "message 1234" in text(reports()[0])


async def test_report_has_the_request_of_a_method(reports) -> None:
    await crash(await Account.start())

    report = text(reports()[0])
    assert "withdraw" in report
    assert "500" in report


async def test_report_has_the_state(reports) -> None:
    await crash(await Account.start("owner 5678"))

    assert "owner 5678" in text(reports()[0])


async def test_report_shows_the_state_through_format_status(reports) -> None:
    await crash(await Secretive.start())

    report = text(reports()[0])
    assert "hidden by format_status" in report
    assert "hunter2" not in report


async def test_report_names_the_links(reports) -> None:
    pid, other = await Account.start(), await Account.start()
    await GenServer.call(pid, ("link", other))

    await crash(pid)

    assert repr(other) in text(reports()[0])


async def test_report_knows_the_ancestors(reports) -> None:
    class Parent(GenServer):
        async def handle_call(self, request: object, from_: From) -> Pid:
            return await Account.start()

    async with process.attach() as me:
        parent = await Parent.start_link()
        pid = await GenServer.call(parent, "child")

        await crash(pid)

        report = text(reports()[0])
        assert repr(parent) in report
        assert repr(me) in report


@pytest.mark.parametrize("reason", ["normal", "shutdown", ("shutdown", "moved")])
async def test_clean_exit_is_silent(reason: object, reports, caplog) -> None:
    pid = await Account.start()
    await GenServer.stop(pid, reason)
    pid = await Account.start()

    await GenServer.call(pid, Stop(reason, reply=None))

    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_abnormal_stop_is_reported_once(reports) -> None:
    """The reference's ``:its_a_crash``: a stop with another reason is reported."""
    pid = await Account.start("owner 5678")

    await GenServer.stop(pid, "its a crash")

    assert len(reports()) == 1
    report = text(reports()[0])
    assert "its a crash" in report
    assert "owner 5678" in report


@pytest.mark.parametrize("signal", ["boom", "kill"])
async def test_exit_signal_is_not_reported_as_a_crash(signal: str, reports) -> None:
    """On the BEAM a process ended by a signal reports nothing itself."""
    async with process.attach():
        pid = await Account.start()
        process.monitor(pid)

        process.exit(pid, signal)
        await process.receive(timeout=50)

        assert reports() == []


async def test_processes_that_die_along_report_nothing_more(reports) -> None:
    async with process.attach():
        first = await Account.start()
        others = [await Account.start() for _ in range(10)]
        for other in others:
            await GenServer.call(first, ("link", other))
            process.monitor(other)

        GenServer.cast(first, "crash")
        for _ in others:
            await process.receive(timeout=50)

        assert len(reports()) == 1


async def test_children_that_terminate_with_their_parent_report_nothing_more(reports) -> None:
    class Parent(Account):
        async def init(self) -> None:
            for _ in range(5):
                await Account.start_link()

    async with process.attach():
        pid = await Parent.start()
        for child in process.info(pid).links:
            process.monitor(child)

        GenServer.cast(pid, "crash")
        for _ in range(5):
            await process.receive(timeout=50)

        assert len(reports()) == 1


async def test_crash_of_a_spawned_process_is_reported_once(reports, settle) -> None:
    async def fail() -> None:
        raise ValueError("spawned without effect")

    pid = process.spawn(fail)
    await settle()

    assert len(reports()) == 1
    formatted = logging.Formatter().format(reports()[0])
    assert "ValueError: spawned without effect" in formatted
    assert repr(pid) in text(reports()[0])


async def test_crash_with_waiting_callers_is_still_one_report(reports) -> None:
    pid = await Account.start()
    GenServer.cast(pid, "crash")
    calls = [asyncio.create_task(Account.withdraw(pid, 1)) for _ in range(20)]

    await asyncio.gather(*calls, return_exceptions=True)

    assert len(reports()) == 1


async def test_crashes_of_different_children_are_each_reported(reports) -> None:
    """What is summarised is one child's crashes, not those of its siblings."""
    async with process.attach():
        process.flag(trap_exit=True)
        pids = [await Account.start_link() for _ in range(10)]

        for pid in pids:
            await crash(pid)

        assert len(reports()) == 10
        assert all(repr(p) in text(report) for p, report in zip(pids, reports(), strict=True))


async def test_asyncio_reports_nothing_beside_it(reports, caplog, settle) -> None:
    """No "Task exception was never retrieved": the crash has been reported."""
    pid = await Account.start()
    GenServer.cast(pid, "crash")
    await settle()
    gc.collect()
    await settle()

    assert len(reports()) == 1
    assert [record for record in caplog.records if record.name == "asyncio"] == []


async def test_exception_in_terminate_is_in_the_one_report(reports) -> None:
    class Clumsy(Account):
        def terminate(self, reason: object) -> None:
            raise KeyError("in terminate")

    pid = await Clumsy.start()

    with pytest.raises(ExitError):
        await GenServer.stop(pid)

    assert len(reports()) == 1
    assert "in terminate" in text(reports()[0])


async def test_state_that_cannot_be_printed_does_not_hide_the_crash(reports) -> None:
    class Odd(Account):
        def __init__(self) -> None:
            self.thing = Unprintable()

    pid = await Odd.start()

    await crash(pid)

    assert not process.is_alive(pid)
    assert len(reports()) == 1
    assert "not enough money" in logging.Formatter().format(reports()[0])


async def test_message_that_cannot_be_printed_does_not_hide_the_crash(reports) -> None:
    async with process.attach():
        pid = await Account.start()
        process.monitor(pid)

        process.send(pid, Unprintable())
        await process.receive(timeout=50)

        assert len(reports()) == 1


async def test_format_status_that_fails_does_not_hide_the_crash(reports) -> None:
    class Clumsy(Account):
        def format_status(self, status: object) -> object:
            raise KeyError("in format_status")

    pid = await Clumsy.start()

    await crash(pid)

    assert len(reports()) == 1
    assert "not enough money" in logging.Formatter().format(reports()[0])
