import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.plan import TARGET_WORKLOADS, Column, Workload
from benchmarks.runners import runners

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_quick_run_measures_every_figure_and_writes_the_page(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"

    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--only", "asyncio", "--output", str(page)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "failed" not in done.stdout
    assert "| call, one server " in done.stdout
    assert done.stdout.splitlines()[2] in page.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("column", ["minimum in Python", "minimum in C"])
def test_minimum_programs_do_the_work_that_is_measured(column: Column, tmp_path: Path) -> None:
    (program,) = runners([column], tmp_path)
    wanted = [workload for workload in TARGET_WORKLOADS if column in workload.columns]

    figures = [program.run(workload.small()) for workload in wanted]

    assert all(value >= 0 for one in figures for value in one.values())
    assert len(figures) >= 3


@pytest.mark.slow
def test_function_calls_of_a_start_and_a_crash_are_counted(tmp_path: Path) -> None:
    (program,) = runners(["standard"], tmp_path)

    figures = program.run(Workload("counted", servers=50))

    assert figures["counted.crashes"] > figures["counted.starts"] > 10
    assert "counted.empty" in figures


@pytest.mark.native
@pytest.mark.slow
def test_native_core_is_compiled_for_the_run_alone(tmp_path: Path) -> None:
    programs = [*runners(["native"], tmp_path)]
    if not programs and not os.environ.get("BEAMISH_REQUIRE_TOOLS"):
        pytest.skip("the native core cannot be compiled here")
    (native,) = programs

    figures = native.run(Workload("call", servers=10, operations=100))

    assert figures["call.time"] > 0
    asked = "from beamish._native import core; print(core.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", asked],
        env={"PYTHONPATH": native.sources},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(done.stdout.strip()).is_relative_to(tmp_path)


@pytest.mark.elixir
@pytest.mark.slow
def test_calls_between_elixir_and_python_are_measured() -> None:
    if shutil.which("elixir") is None and not os.environ.get("BEAMISH_REQUIRE_TOOLS"):
        pytest.skip("no elixir: install Debian's packages erlang and elixir")

    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.erlang", "--calls", "20", "--passes", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^\| (?:Python|Elixir) to \w+ \| \d+ µs \|", done.stdout, re.M)) == 3
