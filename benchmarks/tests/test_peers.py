import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as program
from benchmarks import page
from benchmarks.machine import Machine
from benchmarks.measurements import Measurements
from benchmarks.peers import plan, report
from benchmarks.plan import Column, Row

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]
MACHINE = Machine("2026-01-02", "Some CPU", 2, "Linux x86_64", "CPython 3.13.0", None)
CALL = Row("call", "call_one.time")
CRASH = Row("crash", "crash.time")


def measured(figure: str, seconds: dict[Column, float]) -> Measurements:
    measurements = Measurements({column: column for column in seconds})
    for column, value in seconds.items():
        measurements.add(column, {figure: value})
    return measurements


def run(*command: object) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def section(seconds: float) -> str:
    return report.section(MACHINE, "pykka 4", measured("call_one.time", {"beamish": seconds}), {})


def test_every_cell_has_a_workload_or_a_reason() -> None:
    given = {
        (column, f"{workload.label}.time")
        for workload in plan.workloads(quick=False)
        for column in workload.columns
    }

    wanted = {(column, row.figure) for row in plan.ROWS for column in plan.COLUMNS}

    assert {
        (column, figure)
        for column, figure in wanted
        if not plan.lacks(column, figure.removesuffix(".time"))
    } == given


def test_cell_shows_how_many_times_the_time_of_beamish_it_is() -> None:
    measurements = measured("call_one.time", {"beamish": 1e-6, "casty": 2.5e-6, "pykka": 3e-3})

    cells = report.compared(measurements, CALL, {"triotp": "needs CPython 3.13"})

    assert cells == [
        "call",
        "1.00 µs",
        "2.50 µs (2.5x)",
        "needs CPython 3.13",
        "failed",
        "failed",
        "failed",
        "3.00 ms (3,000x)",
    ]


def test_cell_without_a_workload_shows_the_reason() -> None:
    cells = report.compared(measured("crash.time", {"beamish": 1e-6}), CRASH, {})

    assert cells[-2:] == ["no supervision", "no supervision"]


def test_library_is_absent_on_an_older_cpython_or_if_it_is_not_installed() -> None:
    absent = plan.absences((3, 12), ["casty", "otpylib", "fauxtp", "thespian"])

    assert absent == {"triotp": "needs CPython 3.13", "pykka": "not installed"}


def test_requirements_pin_each_library_for_the_cpythons_that_it_supports() -> None:
    text = (ROOT / "benchmarks" / "peers" / "requirements.txt").read_text()
    line = re.compile(
        r'^(\w+)(?:\[\w+])?==[\d.]+(?:; python_version >= "3\.(\d+)")?$', re.MULTILINE
    )

    pinned = {name: (3, int(minor or 11)) for name, minor in line.findall(text)}

    assert {name: about.python for name, about in plan.ABOUT.items()}.items() <= pinned.items()


def test_section_is_renewed_in_its_place() -> None:
    old = f"# Benchmarks\n\nFirst.\n\n{section(1e-6)}\n\n## Last\n\nText.\n"

    renewed = page.with_section(old, section(2e-6))

    assert renewed == page.with_section(renewed, section(2e-6))
    assert renewed.startswith("# Benchmarks\n\nFirst.\n\n## Beside other Python libraries\n")
    assert renewed.endswith("\n\n## Last\n\nText.\n")
    assert "2.00 µs" in renewed
    assert "1.00 µs" not in renewed


def test_section_that_the_page_does_not_have_comes_last() -> None:
    assert (
        page.with_section("# Benchmarks\n", "## New\n\nText.")
        == "# Benchmarks\n\n## New\n\nText.\n"
    )
    assert page.section_of("# Benchmarks\n", "## New") == ""


def test_whole_run_keeps_the_section_about_other_libraries(tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.md"
    path.write_text(page.with_section("# Benchmarks\n\nOld.\n", section(1e-6)))

    program.write(path, program.Results(MACHINE, Measurements({}), "New.", ["## Telemetry\n"], []))

    assert "New." in path.read_text()
    assert "Old." not in path.read_text()
    assert page.section_of(path.read_text(), page.PEERS).strip() == section(1e-6).strip()


def test_run_of_one_section_keeps_the_page_around_it(tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.md"
    path.write_text(page.with_section("# Benchmarks\n\nOld.\n\n## New\n\n1\n", section(1e-6)))

    for text in ("## New\n\n2\n", "## Newer\n\n3\n"):
        program.write(path, program.Results(MACHINE, Measurements({}), "", [text], []))

    expected = f"# Benchmarks\n\nOld.\n\n## New\n\n2\n\n## Newer\n\n3\n\n{section(1e-6).strip()}\n"
    assert path.read_text() == expected


@pytest.mark.parametrize("name", ["start", "call", "cast", "lookup", "crash"])
def test_every_workload_runs_on_beamish(name: str) -> None:
    printed = run(sys.executable, "-m", "benchmarks.peers.worker", "beamish", name, 5, 5)

    assert json.loads(printed)["time"] > 0


@pytest.mark.slow
def test_a_quick_run_measures_every_library(tmp_path: Path) -> None:
    pythons = sorted(ROOT.glob(".venv-peers-*/bin/python"))
    if not pythons:
        missing = "needs the environment of the other libraries: make peers"
        (pytest.fail if os.environ.get("BEAMISH_REQUIRE_TOOLS") == "1" else pytest.skip)(missing)
    path = tmp_path / "benchmarks.md"

    run(pythons[-1], "-m", "benchmarks.peers", "--quick", "--output", path)

    [row] = [line for line in path.read_text().splitlines() if line.startswith("| call, one")]
    assert row.count("x)") >= len(plan.ABOUT) - 2
    assert "failed" not in row
