"""The demonstration from beginning to end, at full speed."""

import asyncio
import io
from dataclasses import dataclass

import pytest
from rich.console import Console

from transaction_tracker.cli import main
from txtrack_devnode.demo import FAST, FEWEST, play
from txtrack_devnode.demo.kinds import KINDS
from txtrack_devnode.demo.troubles import TROUBLES

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Played:
    """How the demonstration went."""

    right: bool
    text: str

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


def run(*, terminal: bool) -> Played:
    written = io.StringIO()
    console = Console(file=written, force_terminal=terminal, width=100, height=30)
    right = asyncio.run(play(console, payments=4 * FEWEST, tempo=FAST))
    return Played(right, written.getvalue())


@pytest.fixture(scope="module")
def plain() -> Played:
    return run(terminal=False)


@pytest.fixture(scope="module")
def terminal() -> Played:
    return run(terminal=True)


def test_every_payment_ends_as_the_chain_says(plain: Played, terminal: Played) -> None:
    for played in (plain, terminal):
        assert played.right
        assert "Every one of 80 ended as the chain says." in played.text


def test_story_is_complete(plain: Played) -> None:
    for words in ("await TransactionTracker.start(tx)", "3 blocks go, 4 come", "1 restart,"):
        assert words in plain.text
    for kind in KINDS:
        assert kind.fate in plain.text


def test_every_trouble_hit_and_blocks_went_on_all_the_same(plain: Played) -> None:
    for trouble in TROUBLES:
        (row,) = [line for line in plain.lines if line.startswith(f" {trouble.name}  ")]
        hit, *_, blocks = row.removeprefix(f" {trouble.name}").split()

        assert trouble.meaning in row
        assert int(hit) > 0
        assert int(blocks) > 0


def test_crash_report_comes_with_another_pid_under_the_same_id(plain: Played) -> None:
    before, after = (
        result(plain, f">>> {prefix}TransactionTracker.lookup(tx)") for prefix in ("pid = ", "")
    )

    assert before.startswith("#PID<")
    assert after.startswith("#PID<")
    assert before != after
    assert "** RuntimeError: its a crash" in plain.lines


def test_tracker_knows_the_same_after_its_crash(plain: Played) -> None:
    lines = plain.lines
    asked = [at for at, line in enumerate(lines) if line.endswith("(tx)).state")]
    states = [lines[at + 1] for at in asked]

    assert len(states) == 2
    assert states[0] == states[1]


def test_there_are_control_codes_only_on_a_terminal(plain: Played, terminal: Played) -> None:
    assert "\x1b" not in plain.text
    assert "\x1b" in terminal.text


def test_board_is_drawn_on_a_terminal_and_a_line_for_each_block_elsewhere(
    plain: Played, terminal: Played
) -> None:
    assert "] block   1: " in plain.text
    assert "╭" not in plain.text
    assert "╭" in terminal.text


def test_command_ends_with_status_0(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["demo", "--fast", "--transactions", str(FEWEST)])

    assert status == 0
    assert "Every one of 20 ended as the chain says." in capsys.readouterr().out


def result(played: Played, call: str) -> str:
    return played.lines[played.lines.index(call) + 1]
