"""The section about the libraries. Pure."""

from collections.abc import Mapping

from benchmarks import page
from benchmarks.formats import table, value_text
from benchmarks.machine import Machine
from benchmarks.measurements import Measurements
from benchmarks.peers.plan import COLUMNS, ROWS, lacks
from benchmarks.plan import Column, Row
from benchmarks.report import provenance, spread


def section(
    machine: Machine, versions: str, measurements: Measurements, missing: Mapping[Column, str]
) -> str:
    """Set the section; ``missing`` is why a library has no figures at all."""
    return page.template("peers/page.md").format(
        heading=page.PEERS,
        provenance=provenance(machine, beam=False),
        versions=versions,
        table=libraries(measurements, missing),
        spread=spread(measurements),
    )


def libraries(measurements: Measurements, missing: Mapping[Column, str]) -> str:
    """Set the table of medians and factors."""
    return table(["", *COLUMNS], [compared(measurements, row, missing) for row in ROWS])


def compared(measurements: Measurements, row: Row, missing: Mapping[Column, str]) -> list[str]:
    """Set one line of it."""
    return [row.title, *(cell(measurements, row, column, missing) for column in COLUMNS)]


def cell(
    measurements: Measurements, row: Row, column: Column, missing: Mapping[Column, str]
) -> str:
    """Show a median and how many times that of beamish it is, or why there is none."""
    value = measurements.value(row, column)
    if value is None:
        label, _, _ = row.figure.partition(".")
        return missing.get(column) or lacks(column, label) or "failed"
    shown = value_text(row.figure, value)
    ratio = measurements.ratio(row, "beamish", of=column)
    return shown if column == "beamish" or ratio is None else f"{shown} ({times(ratio)})"


def times(ratio: float) -> str:
    """Show a ratio as a factor."""
    return f"{ratio:,.0f}x" if ratio >= 10 else f"{ratio:.1f}x"
