"""Measure what the transaction tracker takes; write ``docs/tracker-figures.md``."""

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.driver import tell
from benchmarks.machine import Machine
from benchmarks.tracker import page, report
from benchmarks.tracker.bench import Bench
from benchmarks.tracker.samples import Samples
from benchmarks.tracker.scenes import SCENES
from benchmarks.tracker.sizes import FULL, MILLION, QUICK, Sizes

PAGE = Path(__file__).parents[2] / "docs" / "tracker-figures.md"
QUICK_RUN = "A quick run: it shows that everything runs; its figures mean nothing."


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tracker", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="show that it runs, in seconds")
    parser.add_argument(
        "--all", action="store_true", help=f"{MILLION:,} transactions, too: minutes, and 4 GB"
    )
    parser.add_argument(
        "--only", action="append", choices=tuple(SCENES), help="may be given repeatedly"
    )
    parser.add_argument(
        "--output",
        type=Path,
        help=f"the page to write (a whole run writes {PAGE.parent.name}/{PAGE.name})",
    )
    return parser.parse_args()


def sizes_of(options: argparse.Namespace) -> Sizes:
    """Return the sizes to measure."""
    sizes = QUICK if options.quick else FULL
    return replace(sizes, booted=(*sizes.booted, MILLION)) if options.all else sizes


def play(wanted: list[str], sizes: Sizes, folder: Path) -> Samples:
    """Play scenes, one after the other; one that fails does not stop the others."""
    bench = Bench(sizes, folder)
    began = time.monotonic()
    try:
        for name in wanted:
            tell(f"{time.monotonic() - began:4.0f} s  {name}")
            try:
                SCENES[name](bench)
            except Exception as error:  # whatever it is, the other figures are worth having
                bench.samples.failures[name] = str(error)
                tell(f"  failed: {error}")
        tell(f"{time.monotonic() - began:4.0f} s  done")
    finally:
        bench.close()
    return bench.samples


def main() -> int:
    """Measure, show the tables and write the page; 1 if a scene gave no figures."""
    options = arguments()
    sizes, wanted = sizes_of(options), options.only or list(SCENES)
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        machine, before = Machine.here(), page.load()
        samples = play(wanted, sizes, Path(folder))
        file_system = page.file_system(Path(folder))
    provenance = page.provenance(machine, file_system, (before, page.load()))
    # The targets are for the sizes of a whole run.
    targets = QUICK_RUN if options.quick else report.targets(samples)
    print(provenance, targets, report.details(samples), sep="\n\n")
    whole = not options.quick and not options.only
    path = options.output or (PAGE if whole else None)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = page.whole(provenance, targets, samples, sizes)
        path.write_text(text, encoding="utf-8")
    if samples.failures:
        print(f"failed: {', '.join(samples.failures)}", file=sys.stderr)
    return 1 if samples.failures else 0


if __name__ == "__main__":
    sys.exit(main())
