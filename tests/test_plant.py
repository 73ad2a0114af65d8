"""The tool that plants faults: what it changes, what it reports, and how it ends."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
PLANT = ROOT / "tools" / "plant"

SOURCE = "LIMIT = 5\n"
# Fails at the third life if the limit of its own tree is wrong.
CHECK = """
import os, sys
from limits import LIMIT
lives = int(os.environ["TRACKER_LIVES"])
if LIMIT != 5 and lives > 2 and os.environ["TRACKER_WORLD"] in ("", "forks"):
    print("FAILED tests/test_lives.py::test_life[2] - wrong")
    print(f"E   AssertionError: the limit is {LIMIT}")
    sys.exit(1)
"""
ROW = """
[[fault]]
rule = "11.1"
name = "another limit"
file = "packages/small/src/limits.py"
old = "LIMIT = 5"
new = "LIMIT = 6"
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Given: a repository with one module and a check of it."""
    folder = tmp_path / "packages" / "small" / "src"
    folder.mkdir(parents=True)
    (folder / "limits.py").write_text(SOURCE)
    (tmp_path / "packages" / "check.py").write_text(CHECK)
    return tmp_path


COMMAND = ("--command", f"{sys.executable} packages/check.py")


def plant(
    tree: Path, table: str, *more: str, command: tuple[str, ...] = COMMAND
) -> tuple[int, str]:
    rows = tree / "faults.toml"
    rows.write_text(table)
    ran = subprocess.run(
        [sys.executable, PLANT, rows, "--root", tree, *command, *more],
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.returncode, ran.stdout + ran.stderr


def test_noticed_fault_is_reported_with_its_life_and_its_assertion(tree: Path) -> None:
    status, output = plant(tree, ROW)

    assert status == 0
    assert "noticed      11.1 another limit: after 3 lives, by AssertionError: the limit is 6" in (
        output
    )
    assert "1 of 1 faults noticed" in output


def test_checkout_is_never_changed(tree: Path) -> None:
    plant(tree, ROW)

    assert (tree / "packages/small/src/limits.py").read_text() == SOURCE


@pytest.mark.parametrize("more", [["--lives", "2"], ["--lives", "2", "--jobs", "2"]])
def test_fault_that_no_life_notices_is_a_failure(tree: Path, more: list[str]) -> None:
    status, output = plant(tree, ROW, *more)

    assert status == 1
    assert "NOT NOTICED  11.1 another limit" in output


def test_row_has_a_world_and_a_number_of_lives_of_its_own(tree: Path) -> None:
    table = f"{ROW}world = 'forks'\nlives = 3\n{ROW}world = 'odd'\nlives = 9\n"

    status, output = plant(tree, table, "--lives", "1")

    assert status == 1
    assert "1 of 2 faults noticed" in output


def test_row_names_the_tests_that_must_notice_it(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, limit in (("strict", 5), ("lax", 6)):
        test = f"from limits import LIMIT\n\ndef test_limit():\n    assert LIMIT <= {limit}\n"
        (tree / "packages" / f"test_{name}.py").write_text(test)
    rows = [f"{ROW}tests = 'packages/test_{name}.py'\n" for name in ("strict", "lax")]
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # which takes most of a short run

    status, output = plant(tree, "".join(rows), command=())

    assert status == 1
    assert "1 of 2 faults noticed" in output
    assert "another limit: by assert 6 <= 5" in output


def test_row_whose_tests_do_not_exist_is_a_failure(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    status, output = plant(
        tree, f"{ROW}tests = 'packages/test_gone.py'\n", "--unchecked", command=()
    )

    assert status == 1
    assert "NOT NOTICED  11.1 another limit: no tests ran" in output


def test_only_the_chosen_faults_are_planted(tree: Path) -> None:
    table = ROW + ROW.replace("another limit", "no limit").replace("11.1", "11.2")

    status, output = plant(tree, table, "--only", "11.2")

    assert status == 0
    assert "another limit" not in output
    assert "11.2 no limit" in output


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (ROW.replace("LIMIT = 5", "LIMIT = 7"), "old text must be in"),
        (ROW.replace('old = "LIMIT = 5"', 'old = ""'), "old text must be in"),
        (ROW.replace("limits.py", "limit.py"), "no file packages/small/src/limit.py"),
        (ROW.replace("old =", "older ="), "fault 1: unknown older"),
        (ROW.replace('new = "LIMIT = 6"', ""), "fault 1: new must be given"),
        ("[[fault", "tools/plant: "),
    ],
)
def test_wrong_table_is_reported_before_anything_runs(tree: Path, wrong: str, words: str) -> None:
    status, output = plant(tree, wrong)

    assert status == 2
    assert words in output
    assert "noticed" not in output


def test_command_that_fails_without_a_fault_notices_nothing(tree: Path) -> None:
    (tree / "packages/small/src/limits.py").write_text("LIMIT = 6\n")

    status, output = plant(tree, ROW.replace("LIMIT = 6", "LIMIT = 7").replace("= 5", "= 6"))

    assert status == 1
    assert "FAILS WITHOUT A FAULT  world all: " in output
    assert "check.py: after 3 lives" in output
    assert "faults noticed" not in output


TABLES = [ROOT / "tests/faults.toml", *sorted(ROOT.glob("packages/*/tests/**/faults.toml"))]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: str(table.relative_to(ROOT)))
def test_every_row_of_the_tables_fits_the_source(table: Path) -> None:
    ran = subprocess.run(
        [sys.executable, PLANT, table, "--check"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    assert "faults fit the source" in ran.stdout
