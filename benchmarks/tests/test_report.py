from dataclasses import replace

import pytest

from benchmarks import report
from benchmarks.formats import size_text, table, time_text
from benchmarks.machine import Machine, parse_versions
from benchmarks.measurements import Measurements
from benchmarks.plan import (
    ROWS,
    STANDARD,
    STANDARD_ROWS,
    TARGET_WORKLOADS,
    TARGETED,
    TYPED,
    Column,
    Row,
    workloads,
)

pytestmark = pytest.mark.once

CALL = Row("call", "call.time", at_most_beam=0.6, at_most_by_hand=0.12)
CRASH = Row("crash", "crash.time", beam="crash_partitioned.time", at_most_beam=1.0)


def measured(samples: dict[str, dict[str, list[float]]]) -> Measurements:
    columns: dict[str, Column] = {
        "BEAM +S 1": "BEAM",
        "BEAM +S 2": "BEAM",
        "asyncio": "asyncio",
        "beamish": "beamish",
    }
    measurements = Measurements(columns)
    for runner, figures in samples.items():
        for figure, values in figures.items():
            for value in values:
                measurements.add(runner, {figure: value})
    return measurements


def test_a_column_shows_the_median_of_its_runs() -> None:
    measurements = measured({"beamish": {"call.time": [9e-6, 1e-6, 2e-6]}})

    assert measurements.median("beamish", "call.time") == 2e-6


def test_the_beam_shows_the_faster_number_of_schedulers_for_each_figure() -> None:
    measurements = measured(
        {
            "BEAM +S 1": {"call.time": [1e-6, 1e-6], "cast.time": [5e-6]},
            "BEAM +S 2": {"call.time": [0.5e-6, 3e-6], "cast.time": [4e-6]},
        }
    )

    assert measurements.median("BEAM", "call.time") == 1e-6
    assert measurements.median("BEAM", "cast.time") == 4e-6


def test_a_ratio_is_that_of_the_medians() -> None:
    measurements = measured(
        {
            "asyncio": {"call.time": [4e-6, 5e-6, 60e-6]},
            "beamish": {"call.time": [0.5e-6, 0.25e-6, 1e-6]},
        }
    )

    assert measurements.ratio(CALL, "asyncio") == pytest.approx(0.1)
    assert measurements.ratio(CALL, "BEAM") is None


def test_a_row_may_take_another_figure_from_the_beam() -> None:
    measurements = measured(
        {
            "BEAM +S 1": {"crash.time": [100e-6], "crash_partitioned.time": [20e-6]},
            "beamish": {"crash.time": [10e-6]},
        }
    )

    assert measurements.ratio(CRASH, "BEAM") == pytest.approx(0.5)


def test_a_line_shows_values_ratios_targets_and_verdicts() -> None:
    measurements = measured(
        {
            "BEAM +S 1": {"call.time": [1e-6]},
            "asyncio": {"call.time": [4e-6]},
            "beamish": {"call.time": [0.5e-6]},
        }
    )

    assert report.compared(measurements, CALL, {}) == [
        "call",
        "1.00 µs",
        "4.00 µs",
        "0.500 µs",
        "0.50 (≤ 0.6: met)",
        "0.12 (≤ 0.12: **missed**)",
    ]


def test_a_column_without_figures_says_why() -> None:
    measurements = measured({"asyncio": {"call.time": [4e-6]}})

    line = report.compared(measurements, CALL, {"BEAM": "not installed"})

    assert line == ["call", "not installed", "4.00 µs", "failed", "", ""]


def test_the_scaling_table_has_a_column_for_each_size_that_was_run() -> None:
    measurements = measured(
        {
            "beamish": {
                "scale_1000.time": [5e-6],
                "scale_1000.rss": [30e6],
                "scale_1000000.time": [6e-6],
                "scale_1000000.rss": [1.1e9],
            }
        }
    )

    lines = report.scaling(measurements).splitlines()

    assert lines[0].split() == ["|", "beamish,", "servers", "|", "1,000", "|", "1,000,000", "|"]
    assert lines[2].split("|")[2:4] == [" 5.00 µs ", "   6.00 µs "]
    [memory] = [line for line in lines if "memory of the whole" in line]
    assert memory.split("|")[2:4] == [" 30.0 MB ", "   1.10 GB "]


def test_a_million_servers_are_held_to_a_time_and_a_size() -> None:
    measurements = measured(
        {"beamish": {"scale_1000000.total": [6.5], "scale_1000000.rss": [1.3e9]}}
    )

    assert report.million(measurements) == (
        "1,000,000 supervised, registered servers: "
        "6.50 s (≤ 15.0 s: met), 1.30 GB (≤ 1.20 GB: **missed**)."
    )


def test_the_samples_show_their_extremes() -> None:
    measurements = measured({"asyncio": {"call.time": [4e-6, 1e-6, 2e-6]}})

    last = report.spread(measurements).splitlines()[-1]

    cells = [cell.strip() for cell in last.strip("|").split("|")]
    assert cells == ["call.time", "asyncio", "3", "1.00 µs", "2.00 µs", "4.00 µs"]


def test_every_row_shows_figures_that_a_workload_gives() -> None:
    given = {
        (column, f"{workload.label}.{name}")
        for workload in workloads(quick=False)
        for column in workload.columns
        for name in ("time", "bytes")
    }

    missing = [
        (row.title, column)
        for rows, columns in ((ROWS, TYPED), (STANDARD_ROWS, (*STANDARD, "native", "newest")))
        for row in rows
        for column in columns
        if (column, row.source(column)) not in given
    ]

    assert missing == []


def test_the_quick_workloads_are_the_same_at_a_small_size() -> None:
    whole = {workload.label for workload in workloads(quick=False) if "scale" not in workload.label}
    quick = {workload.label: workload for workload in workloads(quick=True)}

    assert whole <= quick.keys()
    assert all(workload.repeats == 1 for workload in quick.values())
    assert max(workload.servers for workload in quick.values()) <= 1_000


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0.0975e-6, "0.098 µs"), (1.234e-6, "1.23 µs"), (145.4e-6, "145 µs"), (0.0123, "12.3 ms")],
)
def test_times_have_three_digits_and_a_fitting_unit(seconds: float, shown: str) -> None:
    assert time_text(seconds) == shown


@pytest.mark.parametrize(
    ("size_bytes", "shown"), [(4038.4, "4,038 B"), (77.2e6, "77.2 MB"), (1.1e9, "1.10 GB")]
)
def test_sizes_have_a_fitting_unit(size_bytes: float, shown: str) -> None:
    assert size_text(size_bytes) == shown


def test_tables_line_up() -> None:
    assert table(["", "a"], [["one", "1"], ["x", "22.5"]]).splitlines() == [
        "|     |    a |",
        "| --- | ---: |",
        "| one |    1 |",
        "| x   | 22.5 |",
    ]


def test_versions_are_read_from_what_elixir_says() -> None:
    said = (
        "Erlang/OTP 25 [erts-13.1.5] [source] [64-bit] [smp:2:2]\n\n"
        "Elixir 1.14.0 (compiled with Erlang/OTP 24)\n"
    )

    assert parse_versions(said) == "Elixir 1.14.0 on Erlang/OTP 25 (erts 13.1.5)"


def test_the_page_says_where_its_figures_come_from() -> None:
    machine = Machine("2026-01-02", "Some CPU", 2, "Linux x86_64", "CPython 3.11.7", None)

    assert report.provenance(machine) == (
        "Measured on 2026-01-02 on Some CPU, 2 cores, Linux x86_64; CPython 3.11.7; "
        "Elixir not installed."
    )


def test_line_of_the_standard_interface_has_the_core_processor_time_and_the_newest_cpython() -> (
    None
):
    measurements = Measurements(
        {"BEAM +S 1": "BEAM", "standard": "standard", "native": "native", "newest": "newest"}
    )
    measurements.add("BEAM +S 1", {"call.time": 1e-6, "call.cpu": 2e-6})
    measurements.add("standard", {"call.time": 0.5e-6, "call.cpu": 0.5e-6})
    measurements.add("native", {"call.time": 0.25e-6})
    measurements.add("newest", {"call.time": 0.4e-6})

    shown = report.compared_standard(measurements, replace(CALL, at_most_native=0.2), {})

    assert shown == [
        "call",
        "1.00 µs",
        "0.500 µs",
        "0.250 µs",
        "0.50 (≤ 0.6: met)",
        "0.25 (≤ 0.2: **missed**)",
        "0.25",
        "2.00",
        "0.80",
    ]


def test_crash_in_processor_time_is_compared_with_the_same_workload_of_the_beam() -> None:
    assert CRASH.cpu == Row("crash", "crash.cpu", beam="crash_partitioned.cpu", at_most_beam=1.0)
    assert Row("memory", "start.bytes").cpu is None


SAMPLES = {
    "BEAM +S 1": {"lookup.cpu": [1e-6], "start.bytes": [4000.0], "crash_partitioned.cpu": [2e-5]},
    "standard": {
        "lookup.cpu": [3e-6],
        "start.bytes": [700.0],
        "counted.starts": [49.0],
        "counted.crashes": [100.0],
        "counted.empty": [5e-8],
    },
    "native": {"lookup.cpu": [1.6e-6], "start.bytes": [700.0]},
    "minimum in Python": {"lookup.cpu": [0.5e-6]},
    "minimum in C": {"lookup.cpu": [0.25e-6]},
}


def targeted(samples: dict[str, dict[str, list[float]]]) -> Measurements:
    columns: dict[str, Column] = {"BEAM +S 1": "BEAM"}
    columns |= {column: column for column in TARGETED if column != "BEAM"}
    measurements = Measurements(columns)
    for runner, figures in samples.items():
        for figure, values in figures.items():
            for value in values:
                measurements.add(runner, {figure: value})
    return measurements


def test_a_missed_target_says_by_how_much_and_why() -> None:
    misses = " ".join(report.misses(targeted(SAMPLES)).split())

    assert (
        "**look up, string keys**: beamish 3.00, which is 100% over 1.5; native core 1.60" in misses
    )
    assert "take 0.25 of the BEAM's whole look-up" in misses
    assert "memory" not in misses


def test_a_met_target_needs_no_reason() -> None:
    samples = {**SAMPLES, "standard": {"lookup.cpu": [1e-6]}, "native": {"lookup.cpu": [1e-7]}}

    assert report.misses(targeted(samples)) == "No target of this table is missed."


def test_a_crash_is_explained_by_its_function_calls() -> None:
    samples = {**SAMPLES, "standard": {**SAMPLES["standard"], "crash.cpu": [1e-4]}}

    misses = " ".join(report.misses(targeted(samples)).split())

    assert "100 Python function calls, of which as many empty ones take 5.00 µs (0.25 of" in misses


def test_every_row_with_a_target_has_its_reason_and_its_workload() -> None:
    figures = {
        f"{workload.label}.{kind}" for workload in TARGET_WORKLOADS for kind in ("time", "bytes")
    }

    for row in STANDARD_ROWS:
        if row.at_most_beam or row.at_most_native:
            assert row.why, row.title
            assert {row.figure, row.source("BEAM")} <= figures
            assert row.why.format(**report.facts(targeted({})))
