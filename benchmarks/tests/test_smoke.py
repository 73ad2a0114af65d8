import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_quick_run_measures_every_figure_and_writes_the_page(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"

    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--only", "asyncio", "--output", str(page)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "failed" not in done.stdout
    assert "| call, one server " in done.stdout
    assert done.stdout.splitlines()[2] in page.read_text()
