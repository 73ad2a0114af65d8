"""Repeated crashes of one child are summarised: a report for a crash, never a storm."""

import asyncio
import logging

import pytest

from beamish import DynamicSupervisor, ExitError, GenServer, call, process
from beamish._diagnostics import throttle


class Frail(GenServer):
    @call
    def crash(self) -> None:
        raise ValueError("once more")


async def test_repeated_crashes_of_one_child_are_summarised(caplog, settle, monkeypatch) -> None:
    """Never a storm: fifty crashes of one child are not fifty full reports."""
    monkeypatch.setattr(throttle, "WINDOW_SECONDS", 1_000.0)  # it does not end in the test
    caplog.set_level(logging.DEBUG, logger="beamish")
    async with process.attach():
        process.flag(trap_exit=True)
        supervisor = await DynamicSupervisor.start_link(max_restarts=1000, max_seconds=60.0)
        await DynamicSupervisor.start_child(supervisor, Frail.child_spec(name="frail"))

        for _ in range(50):
            while process.whereis("frail") is None:
                await asyncio.sleep(0)
            with pytest.raises(ExitError):
                await Frail.crash("frail")
        await settle()

        errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
        assert 1 <= len(errors) < 25
        await DynamicSupervisor.stop(supervisor)
