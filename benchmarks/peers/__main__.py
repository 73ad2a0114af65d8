"""Measure beamish beside other Python libraries; write their section of ``docs/benchmarks.md``.

``make bench-peers`` runs it in an environment that has them.
"""

import argparse
import sys
from pathlib import Path

from benchmarks import page
from benchmarks.driver import measure
from benchmarks.machine import Machine
from benchmarks.peers import installed, report
from benchmarks.peers.plan import COLUMNS, absences, workloads
from benchmarks.runners import Runner

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="show that it runs, in seconds")
    parser.add_argument(
        "--output", type=Path, help="the page to write (a whole run writes docs/benchmarks.md)"
    )
    return parser.parse_args()


def runners(missing: frozenset[str]) -> list[Runner]:
    """List a program for beamish and for each library that is not ``missing``."""
    command = (sys.executable, "-m", "benchmarks.peers.worker")
    return [Runner(name, name, (*command, name)) for name in COLUMNS if name not in missing]


def main() -> int:
    """Measure, show the section and write it; 1 if a workload gave no figures."""
    options = arguments()
    missing = absences(installed.python(), installed.libraries())
    measurements = measure(list(workloads(quick=options.quick)), runners(frozenset(missing)))
    section = report.section(Machine.here(), installed.versions(), measurements, missing)
    print(section)
    path = options.output or (None if options.quick else PAGE)
    if path is not None:
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        path.write_text(page.with_section(old, section), encoding="utf-8")
    if measurements.failures:
        print(f"failed: {', '.join(measurements.failures)}", file=sys.stderr)
    return 1 if measurements.failures else 0


if __name__ == "__main__":
    sys.exit(main())
