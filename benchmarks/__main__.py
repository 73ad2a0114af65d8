"""Measure beamish beside the BEAM and beside asyncio by hand; write ``docs/benchmarks.md``."""

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks import page, report
from benchmarks.driver import measure
from benchmarks.machine import Machine
from benchmarks.measurements import Measurements
from benchmarks.plan import (
    COLUMNS,
    TARGETED,
    VARIANTS,
    Column,
    target_workloads,
    variant_workloads,
    workloads,
)
from benchmarks.runners import Runner, runners

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
TELEMETRY = "telemetry"
TARGETS = "targets"
SECTIONS = (TARGETS, TELEMETRY)


@dataclass(frozen=True, slots=True)
class Results:
    """What a run shows.

    Args:
        summary: The tables beside the BEAM and asyncio; empty if they were not wanted.
        sections: The wanted sections about missed targets and about telemetry.
        failures: Which workloads gave no figures.
    """

    machine: Machine
    measurements: Measurements
    summary: str
    sections: list[str]
    failures: list[str]


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="show that it runs, in seconds")
    parser.add_argument(
        "--only",
        action="append",
        choices=(*COLUMNS, *SECTIONS),
        help=f"may be given repeatedly; {' and '.join(SECTIONS)} alone renew their sections",
    )
    parser.add_argument(
        "--output", type=Path, help="the page to write (a whole run writes docs/benchmarks.md)"
    )
    return parser.parse_args()


def run(wanted: list[str], *, quick: bool) -> Results:
    """Measure what is ``wanted``."""
    machine = Machine.here()
    columns: tuple[Column, ...] = tuple(column for column in COLUMNS if column in wanted)
    variants = VARIANTS if TELEMETRY in wanted else ()
    targeted = TARGETED if TARGETS in wanted else ()
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        programs = list(runners(columns, new_folder(folder, "columns")))
        beside = measure(list(workloads(quick=quick)), programs)
        programs = list(runners(targeted, new_folder(folder, TARGETS)))
        aimed = measure(list(target_workloads(quick=quick)), programs)
        several = list(runners(variants, new_folder(folder, TELEMETRY)))
        varied = measure(list(variant_workloads(quick=quick)), several)
    sections = [page.targets(machine, aimed)] if targeted else []
    sections += [page.telemetry(machine, varied)] if variants else []
    return Results(
        machine,
        beside,
        report.summary(beside, absences(columns, programs)) if columns else "",
        sections,
        [*beside.failures, *aimed.failures, *varied.failures],
    )


def new_folder(parent: str, name: str) -> Path:
    """Make a folder for compiled modules."""
    folder = Path(parent) / name
    folder.mkdir()
    return folder


def absences(columns: tuple[Column, ...], programs: list[Runner]) -> dict[Column, str]:
    """Return why each column without figures has none."""
    present = {program.column for program in programs}
    return {
        column: "not installed" if column in columns else "not measured"
        for column in COLUMNS
        if column not in present
    }


def write(path: Path, results: Results) -> None:
    """Write the page; if only sections were measured, those sections of the page.

    The section about other libraries stays as it is, at the end: ``make bench-peers`` measures it.
    """
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    others = page.section_of(old, page.PEERS)
    if results.summary:
        text = page.whole(results.machine, results.measurements, results.summary, results.sections)
    else:
        text = page.without_section(old, page.PEERS) if others else old
        for section in results.sections:
            text = page.with_section(text, section)
    if others:
        text = page.with_section(text, others)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def main() -> int:
    """Measure, show the tables and write the page; 1 if a workload gave no figures."""
    options = arguments()
    wanted = options.only or [*COLUMNS, *SECTIONS]
    results = run(wanted, quick=options.quick)
    print(report.provenance(results.machine), results.summary, *results.sections, sep="\n\n")
    if options.quick:
        print("\nA quick run: it shows that everything runs; its figures mean nothing.")
    whole = not options.quick and (not options.only or set(wanted) <= set(SECTIONS))
    path = options.output or (PAGE if whole else None)
    if path is not None:
        write(path, results)
    if results.failures:
        print(f"failed: {', '.join(results.failures)}", file=sys.stderr)
    return 1 if results.failures else 0


if __name__ == "__main__":
    sys.exit(main())
