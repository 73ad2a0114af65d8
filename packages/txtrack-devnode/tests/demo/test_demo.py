"""The demo from start to end, at full speed."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp
import pytest
from rich.console import Console

from transaction_tracker.api import WEB, Web
from transaction_tracker.cli import main
from txtrack_devnode.demo import FAST, MIN_PAYMENTS, Speed, run_demo
from txtrack_devnode.demo.kinds import KINDS
from txtrack_devnode.demo.scenarios import SCENARIOS

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Run:
    """A finished run of the demo."""

    correct: bool
    text: str

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


class SlowTracker(Speed):
    """A tracker that polls so rarely that it finds several blocks at once."""

    @property
    def poll(self) -> float:
        return 50 * self.block


def run(
    *, terminal: bool, speed: Speed = FAST, stay: Callable[[], Awaitable[None]] | None = None
) -> Run:
    written = io.StringIO()
    console = Console(file=written, force_terminal=terminal, width=100, height=30)
    correct = asyncio.run(run_demo(console, payments=4 * MIN_PAYMENTS, speed=speed, stay=stay))
    return Run(correct, written.getvalue())


@pytest.fixture(scope="module")
def plain() -> Run:
    return run(terminal=False)


@pytest.fixture(scope="module")
def terminal() -> Run:
    return run(terminal=True)


def test_every_payment_has_the_final_state_that_the_chain_says(plain: Run, terminal: Run) -> None:
    for finished in (plain, terminal):
        assert finished.correct
        assert "All 80 payments have the state that the chain says." in finished.text


def test_all_steps_and_kinds_are_shown(plain: Run) -> None:
    for text in ("await TransactionTracker.start(tx)", "3 blocks removed, 4 added", "1 restart,"):
        assert text in plain.text
    for kind in KINDS:
        assert kind.description in plain.text


@pytest.fixture(scope="module")
def behind() -> Run:
    return run(terminal=False, speed=SlowTracker(block=0.01, pause=0.0))


@pytest.mark.parametrize("name", ["plain", "behind"])
def test_every_fault_is_triggered_and_blocks_are_still_applied(
    name: str, request: pytest.FixtureRequest
) -> None:
    finished: Run = request.getfixturevalue(name)

    for scenario in SCENARIOS:
        (row,) = [line for line in finished.lines if line.startswith(f" {scenario.name}  ")]
        triggered, *_, blocks = row.removeprefix(f" {scenario.name}").split()

        assert scenario.handling in row
        assert int(triggered) > 0
        assert int(blocks) > 0


def test_crashed_tracker_is_found_under_its_id_with_another_pid(plain: Run) -> None:
    before, after = (
        result(plain, f">>> {prefix}TransactionTracker.lookup(tx)") for prefix in ("pid = ", "")
    )

    assert before.startswith("#PID<")
    assert after.startswith("#PID<")
    assert before != after
    assert "** RuntimeError: its a crash" in plain.lines


def test_tracker_has_the_same_state_after_its_crash(plain: Run) -> None:
    lines = plain.lines
    calls = [index for index, line in enumerate(lines) if line.endswith("(tx)).state")]
    states = [lines[index + 1] for index in calls]

    assert len(states) == 2
    assert states[0] == states[1]


def test_control_codes_are_written_only_to_a_terminal(plain: Run, terminal: Run) -> None:
    assert "\x1b" not in plain.text
    assert "\x1b" in terminal.text


def test_terminal_shows_a_panel_and_other_output_a_line_per_block(
    plain: Run, terminal: Run
) -> None:
    assert "] block   1: " in plain.text
    assert "╭" not in plain.text
    assert "╭" in terminal.text


def test_command_ends_with_status_0(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["demo", "--fast", "--transactions", str(MIN_PAYMENTS)])

    assert status == 0
    assert "All 20 payments have the state that the chain says." in capsys.readouterr().out


def test_dashboard_stays_open_and_moves_until_it_is_stopped(plain: Run) -> None:
    seen: list[str] = []

    async def stay() -> None:
        url = await Web.url(WEB)
        async with aiohttp.ClientSession() as session, session.get(f"{url}/") as page:
            seen.append(f"{url} {page.status}")
            tracked, more = 0, 4 * MIN_PAYMENTS + 3
            while tracked < more:
                query = "/v1/transactions?order=activity&limit=1000"
                async with session.get(url + query) as reply:
                    tracked = len((await reply.json())["transactions"])
                await asyncio.sleep(0.01)

    finished = run(terminal=False, stay=stay)

    (line,) = seen
    url, status = line.split()
    assert status == "200"
    assert finished.correct
    assert f"Dashboard: {url}" in finished.lines
    assert f"The dashboard stays open until Ctrl-C: {url}" in finished.lines
    assert "Dashboard" not in plain.text


def result(finished: Run, call: str) -> str:
    return finished.lines[finished.lines.index(call) + 1]
