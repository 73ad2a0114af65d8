import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import page, report
from benchmarks.machine import Machine
from benchmarks.measurements import Measurements
from benchmarks.plan import VARIANT_ROWS, VARIANTS, variant_workloads
from benchmarks.unhooked import without_hooks

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[2]
MACHINE = Machine("2026-01-02", "Some CPU", 2, "Linux x86_64", "CPython 3.11.7", None)

# Says which functions of beamish still name the attribute, what a handler is told of a start, a
# cast and a call, and which threads run.
PROBE = """
import asyncio, gc, threading, types
from benchmarks import unhooked
unhooked.install()
from beamish import telemetry
from benchmarks import ours
told = []
telemetry.attach_many("probe", telemetry.EVENTS, lambda event, *_: told.append(event))
async def main():
    implementation = ours.implementation()
    async with implementation.running():
        server = await implementation.start("one")
        implementation.bump(server)
        assert await implementation.call(server) == 1
asyncio.run(main())
functions = [known for known in gc.get_objects() if isinstance(known, types.FunctionType)]
looks = {"enabled", "observes"}
naming = [
    function.__qualname__
    for function in functions
    if looks & {*function.__code__.co_names} and "beamish" in function.__code__.co_filename
]
print(sorted(set(naming)), told, [thread.name for thread in threading.enumerate()])
"""


def python(*arguments: str) -> str:
    ran = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def measured(figure: str, *seconds: float) -> Measurements:
    measurements = Measurements({variant: variant for variant in VARIANTS})
    for variant, value in zip(VARIANTS, seconds, strict=True):
        measurements.add(variant, {figure: value})
    return measurements


def test_without_hooks_nothing_looks_at_the_attribute_and_nobody_is_told() -> None:
    assert python("-c", PROBE) == "['_switch'] [] ['MainThread']\n"  # which sets it


def test_a_hook_in_the_source_becomes_a_constant() -> None:
    assert without_hooks("if not _b_telemetry.observes:") == "if not False:"
    assert without_hooks("told = 1 if telemetry.enabled else 0") == "told = 1 if False else 0"
    assert without_hooks("if telemetry.observes:") == "if False:"


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_runs(variant: str) -> None:
    said = python("-m", "benchmarks.worker", variant, "cast_one", "1", "10")

    assert json.loads(said)["time"] > 0


def test_every_row_shows_what_a_workload_of_all_variants_gives() -> None:
    given = {f"{workload.label}.time" for workload in variant_workloads(quick=False)}

    assert {row.figure for row in VARIANT_ROWS} == given
    assert all(workload.columns == VARIANTS for workload in variant_workloads(quick=False))


def test_a_line_shows_what_each_variant_takes_beside_none_of_it() -> None:
    measurements = measured("call_one.time", 0.5e-6, 0.51e-6, 4e-6, 5e-6)

    assert report.varied(measurements, VARIANT_ROWS[0]) == [
        "call, one server",
        "0.500 µs",
        "0.510 µs",
        "4.00 µs",
        "5.00 µs",
        "1.02 (≤ 1.05: met)",
        "8.00",
        "10.00",
    ]


def test_the_section_about_telemetry_is_renewed_by_itself() -> None:
    measurements = measured("call_one.time", 0.5e-6, 0.51e-6, 4e-6, 5e-6)
    section = page.telemetry(MACHINE, measurements)
    first = page.whole(
        MACHINE, Measurements({}), "the summary", [section.replace("0.510", "0.777")]
    )

    renewed = page.with_section(first, section)

    assert renewed == page.whole(MACHINE, Measurements({}), "the summary", [section])
    assert page.with_section(renewed, section) == renewed
