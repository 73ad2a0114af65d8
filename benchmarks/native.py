"""Measure beamish with and without its native core, in turns; print a table of the medians.

Usage: ``python -m benchmarks.native [--quick]``. Processor time per operation, so that a busy
machine counts little; each workload runs in a process of its own.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from beamish._native import core

ROUNDS = 7
ENOUGH = 1.7  # what the native core must win, in at least four workloads
ROOT = Path(__file__).parent.parent
SOURCES = str(ROOT / "packages" / "beamish" / "src")

# column, workload, servers, operations
WORKLOADS = (
    ("standard", "call", 1, 20_000),
    ("standard", "call", 10_000, 20_000),
    ("standard", "call_via", 10_000, 20_000),
    ("standard", "clients", 10_000, 20_000),
    ("standard", "cast_one", 1, 50_000),
    ("standard", "cast_spread", 10_000, 50_000),
    ("standard", "cast_each", 10_000, 30_000),
    ("standard", "lookup", 10_000, 50_000),
    ("standard", "lookup_tuples", 10_000, 50_000),
    ("standard", "start_tuples", 20_000, 0),
    ("standard", "start", 20_000, 0),
    ("standard", "crash", 5_000, 3_000),
    ("beamish", "call", 1, 20_000),
    ("beamish", "call", 10_000, 20_000),
    ("beamish", "clients", 10_000, 20_000),
    ("beamish", "cast_one", 1, 50_000),
    ("beamish", "cast_spread", 10_000, 50_000),
    ("beamish", "lookup", 10_000, 50_000),
    ("beamish", "start", 20_000, 0),
    ("beamish", "crash", 5_000, 3_000),
    ("beamish", "stop", 20_000, 0),
)


def measure(workload: tuple[str, str, int, int], *, pure: bool) -> float:
    """Run a workload and return its processor time per operation, in seconds."""
    arguments = [str(part) for part in workload]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.worker", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": SOURCES, "BEAMISH_PURE": "1" if pure else "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    cpu: float = json.loads(done.stdout.splitlines()[-1])["cpu"]
    return cpu


def main() -> int:
    """Print the table; 1 if the core does not win enough, or loses in a workload."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.native", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="show that it runs: one round")
    if core is None:
        parser.error("no native core here; compile it: packages/beamish/native/compile.py")
    rounds = 1 if parser.parse_args().quick else ROUNDS
    samples: dict[tuple[tuple[str, str, int, int], bool], list[float]] = {}
    for number in range(rounds):
        for workload in WORKLOADS:
            for pure in (True, False) if number % 2 == 0 else (False, True):
                samples.setdefault((workload, pure), []).append(measure(workload, pure=pure))
    print(f"CPython {sys.version.split()[0]}, {rounds} rounds, medians, µs of processor time\n")
    print("| interface | workload | servers | pure | native | pure / native |")
    print("| --------- | -------- | ------: | ---: | -----: | ------------: |")
    ratios = []
    for workload in WORKLOADS:
        pure, native = (statistics.median(samples[workload, kind]) for kind in (True, False))
        ratios.append(pure / native)
        column, name, servers, _ = workload
        print(
            f"| {column} | {name} | {servers:,} | {pure * 1e6:,.2f} | {native * 1e6:,.2f} "
            f"| {ratios[-1]:.2f} |",
            flush=True,
        )
    won, lowest = sum(ratio >= ENOUGH for ratio in ratios), min(ratios)
    print(f"\nat least {ENOUGH:g} times in {won} workloads; the lowest ratio is {lowest:.2f}")
    return 0 if won >= 4 and lowest >= 0.97 else 1


if __name__ == "__main__":
    sys.exit(main())
