"""The page of the cluster's figures."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.cluster import report
from benchmarks.cluster.figures import Figures, Sizes
from benchmarks.machine import Machine

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]


def test_page_shows_times_and_their_ratios() -> None:
    machine = Machine("2026-01-02", "A CPU", 2, "Linux", "CPython 3.11", None)
    figures = Figures(
        Sizes(100_000, 10, 20_000), (10e-6, 200e-6), (0.4e-6, 2e-3, 80e-6), 10_000, (4.0, 6.0)
    )

    page = report.page(machine, "2.60.0", 3.2, figures)

    assert "| 10 µs | 200 µs | 20 |" in page
    assert "| 0.4 µs | 80 µs | 200 |" in page
    assert "| 0.4 µs | 2,000 µs | 5,000 |" in page
    assert "| with 10,000 names | 6.0 | 1.5 |" in page
    assert "A CPU (2 cores, Linux), CPython 3.11" in page
    assert "at a load of 3" in page


@pytest.mark.ray
@pytest.mark.postgres
@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="no ray: make ray")
def test_quick_run_writes_the_page(tmp_path: Path) -> None:
    page = tmp_path / "figures.md"

    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.cluster", "--quick", "--output", str(page)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
    )

    assert done.returncode == 0, done.stderr
    assert "1,000 names, 2 hosts" in page.read_text()
