"""Measure beamish beside the BEAM and beside asyncio by hand; write ``docs/benchmarks.md``."""

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks import report
from benchmarks.driver import measure
from benchmarks.machine import Machine
from benchmarks.measurements import Measurements
from benchmarks.plan import COLUMNS, Column, workloads
from benchmarks.runners import runners

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="show that it runs, in seconds")
    parser.add_argument("--only", action="append", choices=COLUMNS, help="may be given repeatedly")
    parser.add_argument(
        "--output", type=Path, help="the page to write (a whole run writes docs/benchmarks.md)"
    )
    return parser.parse_args()


def run(columns: tuple[Column, ...], *, quick: bool) -> Measurements:
    """Measure ``columns``."""
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as build:
        return measure(list(workloads(quick=quick)), list(runners(columns, Path(build))))


def absences(columns: tuple[Column, ...], machine: Machine) -> dict[Column, str]:
    """Say why a column has no figures."""
    absent: dict[Column, str] = {
        column: "not measured" for column in COLUMNS if column not in columns
    }
    if "BEAM" in columns and machine.beam is None:
        absent["BEAM"] = "not installed"
    return absent


def write(page: Path, measurements: Measurements, summary: str, machine: Machine) -> None:
    """Write the page."""
    text = (HERE / "page.md").read_text(encoding="utf-8")
    provenance, spread = report.provenance(machine), report.spread(measurements)
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(
        text.format(provenance=provenance, summary=summary, spread=spread), encoding="utf-8"
    )


def main() -> int:
    """Measure, show the tables and write the page; 1 if a workload gave no figures."""
    options = arguments()
    columns: tuple[Column, ...] = tuple(options.only or COLUMNS)
    machine = Machine.here()
    measurements = run(columns, quick=options.quick)
    summary = report.summary(measurements, absences(columns, machine))
    print(f"{report.provenance(machine)}\n\n{summary}")
    if options.quick:
        print("\nA quick run: it shows that everything runs; its figures mean nothing.")
    whole = not options.quick and not options.only
    page = options.output or (PAGE if whole else None)
    if page is not None:
        write(page, measurements, summary, machine)
    if measurements.failures:
        print(f"failed: {', '.join(measurements.failures)}", file=sys.stderr)
    return 1 if measurements.failures else 0


if __name__ == "__main__":
    sys.exit(main())
