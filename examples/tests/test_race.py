"""The racy example: an ordinary run is right, a simulation finds the race and replays it."""

import asyncio
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from beamish.testing import find_race, simulate

EXAMPLE = Path(__file__).parent.parent / "race.py"
LISTING = runpy.run_path(str(EXAMPLE))
racy, mended = LISTING["racy"], LISTING["mended"]


@pytest.fixture(autouse=True)
def _ordinary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BEAMISH_DIRECT", "1")  # calls run on the caller's stack, as they do


def test_an_ordinary_run_does_not_show_the_race() -> None:
    for _ in range(100):
        asyncio.run(racy())


def test_simulate_finds_the_race_within_1000_seeds_and_replays_it() -> None:
    with pytest.raises(AssertionError, match="2 customers have bought the last ticket") as caught:
        find_race(racy, seeds=range(1_000))

    (story,) = caught.value.__notes__
    found = re.match(r"simulated with seed=(\d+); the last steps:", story)
    assert found is not None
    assert story.count("BoxOffice #PID<0.101.0>: handles sell()") == 2
    with pytest.raises(AssertionError) as replayed:
        simulate(racy, int(found[1]))
    assert replayed.value.__notes__ == [story]


def test_the_mended_program_has_no_race() -> None:
    find_race(mended, seeds=range(1_000))


def test_runs_as_a_program() -> None:
    ran = subprocess.run(
        [sys.executable, str(EXAMPLE)], capture_output=True, text=True, timeout=240, check=True
    )

    assert ran.stderr == ""
    assert "simulated with seed=" in ran.stdout
    assert ran.stdout.endswith("mended: 1,000 seeds, and no race\n")
