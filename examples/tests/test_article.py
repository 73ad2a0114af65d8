"""The seven promises that the article makes for its one-liner."""

import runpy
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from beamish import (
    AlreadyStartedError,
    DynamicSupervisor,
    GenServer,
    Pid,
    Registry,
    debug,
    process,
)

EXAMPLE = Path(__file__).parent.parent / "article.py"
LISTING = runpy.run_path(str(EXAMPLE))
TransactionTracker = LISTING["TransactionTracker"]
REGISTRY, SUPERVISOR = LISTING["REGISTRY"], LISTING["SUPERVISOR"]

TXN = "txn_01dp371w0fnjhf9z2tjebx4vr4"


@pytest_asyncio.fixture(autouse=True)
async def _application() -> AsyncIterator[None]:
    async with LISTING["TransactionTrackerApplication"]():
        yield


async def test_1_starts_a_new_server_for_the_given_id() -> None:
    pid = await TransactionTracker.start(TXN)

    assert isinstance(pid, Pid)
    assert process.is_alive(pid)
    assert await debug.get_state(pid) == {"transaction_id": TXN}


async def test_2_registers_the_tracker_with_the_registry() -> None:
    pid = await TransactionTracker.start(TXN)

    assert Registry.lookup(REGISTRY, TXN) == [(pid, None)]


async def test_3_supervises_the_tracker() -> None:
    pid = await TransactionTracker.start(TXN)

    assert [child.pid for child in await DynamicSupervisor.which_children(SUPERVISOR)] == [pid]


async def test_4_restarts_the_tracker_when_it_shuts_down_abnormally() -> None:
    pid = await TransactionTracker.start(TXN)

    await GenServer.stop(pid, "its_a_crash")

    assert not process.is_alive(pid)
    assert (await DynamicSupervisor.count_children(SUPERVISOR)).active == 1


async def test_5_looks_up_the_new_process_after_a_restart_with_the_same_state() -> None:
    pid = await TransactionTracker.start(TXN)

    await GenServer.stop(pid, "its_a_crash")

    restarted = TransactionTracker.lookup(TXN)
    assert restarted is not None
    assert restarted != pid
    assert await debug.get_state(restarted) == {"transaction_id": TXN}


async def test_6_deregisters_the_tracker_on_expected_shutdown() -> None:
    pid = await TransactionTracker.start(TXN)

    await GenServer.stop(pid)

    assert TransactionTracker.lookup(TXN) is None
    assert await DynamicSupervisor.which_children(SUPERVISOR) == []


async def test_7_lets_anyone_reach_it_by_pid_or_by_id() -> None:
    pid = await TransactionTracker.start(TXN)

    by_pid = await TransactionTracker.describe(pid)

    assert by_pid == await TransactionTracker.describe(TransactionTracker.lookup(TXN))
    assert by_pid == await TransactionTracker.describe(Registry.via(REGISTRY, TXN))


async def test_second_start_with_the_same_id_gives_the_running_pid() -> None:
    pid = await TransactionTracker.start(TXN)

    with pytest.raises(AlreadyStartedError) as caught:
        await TransactionTracker.start(TXN)

    assert caught.value.pid is pid


def test_runs_as_a_program() -> None:
    ran = subprocess.run(
        [sys.executable, str(EXAMPLE)], capture_output=True, text=True, timeout=240, check=True
    )

    assert [line.split()[0] for line in ran.stdout.splitlines()] == [
        "started",
        "restarted",
        "state",
        "stopped",
    ]
    assert "(stop) 'its_a_crash'" in ran.stderr
