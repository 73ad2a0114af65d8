"""The option ``--share``: which tests a run leaves to other versions of Python."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parent.parent / "conftest.py"
TESTS = """
import pytest


@pytest.mark.parametrize("number", range(5))
def test_of_numbers(number):
    print(f"ran {number}")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with tests inside and outside the part that always runs."""
    shutil.copy(CONFTEST, tmp_path)
    for name in ("packages/beamish", "packages/other"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / f"test_of_{Path(name).name}.py").write_text(TESTS)
    return tmp_path


def ran(folder: Path, *arguments: str) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-s", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        # Loading the plugins takes most of a short run.
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = (line.lstrip(".") for line in done.stdout.splitlines())
    return done.returncode, [line for line in lines if line.startswith("ran ")]


def test_without_a_share_all_tests_run(folder: Path) -> None:
    status, lines = ran(folder)

    assert status == 0
    assert len(lines) == 10


@pytest.mark.parametrize("share", [2, 3])
def test_share_keeps_all_of_beamish_and_a_part_of_the_rest(folder: Path, share: int) -> None:
    _, lines = ran(folder, f"--share={share}")

    of_others = range(sys.version_info.minor % share, 5, share)
    assert lines == [f"ran {number}" for number in (*range(5), *of_others)]


def test_share_must_be_positive(folder: Path) -> None:
    status, lines = ran(folder, "--share=0")

    assert status == pytest.ExitCode.USAGE_ERROR
    assert lines == []
