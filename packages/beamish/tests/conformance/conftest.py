"""What the conformance tests share.

Each of them runs with direct calls and without: what a server does must not depend on them.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from beamish import From, GenServer

HERE = Path(__file__).parent
# Their tests switch direct calls on and off by themselves.
SWITCHING = {
    "test_client_and_dispatch",
    "test_every_way_to_answer",
    "test_every_way_to_call",
    "test_gen_server_fail",
}
# A call of theirs is rare, or not their subject: what they say without direct calls is only checked
# by `make test-all`.
RARELY_CALLING = {
    "test_blocks_across_tasks",
    "test_cancelled_starts",
    "test_child_spec",
    "test_debug_stuck",
    "test_debug_trace",
    "test_dynamic_supervisor_masses",
    "test_freeze_heap",
    "test_gen_server_cast_and_info",
    "test_gen_server_class",
    "test_gen_server_failed_start",
    "test_gen_server_stop",
    "test_gen_server_typos",
    "test_known_failures_supervision",
    "test_many_in_a_turn",
    "test_names",
    "test_partition_keys",
    "test_process_attach",
    "test_process_fairness",
    "test_process_monitors",
    "test_process_other_loop",
    "test_process_receive",
    "test_process_selective_receive",
    "test_process_send",
    "test_process_spawn",
    "test_process_timers",
    "test_program_exits",
    "test_registry_meta_and_lock",
    "test_registry_start",
    "test_regressions_programs",
    "test_run",
    "test_task_async",
    "test_task_await_many",
    "test_task_ending",
    "test_task_stream",
    "test_task_stream_input",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    module = Path(metafunc.module.__file__ or "").stem
    if module not in SWITCHING:
        marks = [pytest.mark.full] if module in RARELY_CALLING else []
        modes = [
            pytest.param(True, id=pytest.HIDDEN_PARAM),
            pytest.param(False, id="queued", marks=marks),
        ]
        metafunc.parametrize("direct_calls", modes, indirect=True)


@pytest.fixture(autouse=True)
def direct_calls(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether calls can run on the caller's stack. Each test has a new runtime, which reads it."""
    direct: bool = getattr(request, "param", True)
    monkeypatch.setenv("BEAMISH_DIRECT", str(int(direct)))
    return direct


@pytest.fixture
def settle() -> Callable[[], Awaitable[None]]:
    """Return a function that waits until nothing can run without time or outside input."""

    async def run_what_can_run() -> None:
        for _ in range(50):
            await asyncio.sleep(0)

    return run_what_can_run


class Warm(GenServer):
    """Answers, so that the runtime of the test has been busy."""

    def handle_call(self, request: object, from_: From) -> object:
        return request


@pytest.fixture
async def warm_runtime() -> None:
    """Start the test with a runtime that has just been at work.

    Calls run on the caller's stack only while the run queue has had a turn lately; without this,
    the first call of each test, often the one it is about, would be queued.
    """
    pid = await Warm.start()
    for number in range(3):
        await GenServer.call(pid, number)
    await GenServer.stop(pid)


@pytest.fixture(autouse=True)
def _warm(request: pytest.FixtureRequest, direct_calls: bool) -> None:
    if request.path.parent == HERE and inspect.iscoroutinefunction(request.function):
        request.getfixturevalue("warm_runtime")
