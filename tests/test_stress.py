"""The tool that repeats tests on a busy machine: what it reports, and how it ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

STRESS = Path(__file__).parent.parent / "tools" / "stress"
# Fails in its second run only.
FLAKY = """
from pathlib import Path

RUNS = Path(__file__).with_suffix(".runs")


def test_flaky():
    runs = len(RUNS.read_text()) if RUNS.exists() else 0
    RUNS.write_text("." * (runs + 1))
    assert runs != 1


def test_steady():
    pass
"""


def stress(*arguments: str | Path) -> tuple[int, str]:
    ran = subprocess.run(
        [sys.executable, STRESS, "--load", "1", *arguments],
        # Loading the plugins takes most of a short run.
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.returncode, ran.stdout + ran.stderr


@pytest.fixture
def tests(tmp_path: Path) -> Path:
    path = tmp_path / "test_some.py"
    path.write_text(FLAKY)
    return path


def test_test_that_fails_in_one_round_is_named(tests: Path) -> None:
    status, output = stress("--rounds", "2", tests)

    assert status == 1
    assert "round 1 of 2: 2 passed" in output
    assert "round 2 of 2: 1 failed, 1 passed" in output
    (line,) = [line for line in output.splitlines() if line.startswith("failed in ")]
    assert line.startswith("failed in 1 of 2 rounds: ")
    assert line.endswith("::test_flaky")
    assert "assert 1 != 1" in output


def test_tests_that_always_pass_are_a_success(tests: Path) -> None:
    status, output = stress("--rounds", "1", tests, "-k", "steady")

    assert status == 0
    assert "0 tests failed in 1 rounds" in output


@pytest.mark.parametrize("wrong", [["--rounds", "0"], ["nowhere.py"]])
def test_command_that_cannot_run_fails(wrong: list[str]) -> None:
    status, _ = stress(*wrong)

    assert status == 2
