"""Runs all workloads on all runners, interleaved, so that what the machine does hits all alike."""

import sys
import time
from collections.abc import Iterator, Sequence

from benchmarks.measurements import Measurements
from benchmarks.plan import Workload
from benchmarks.runners import Runner, WorkloadFailedError

Step = tuple[int, Workload, Runner]


def steps(workloads: Sequence[Workload], runners: Sequence[Runner]) -> Iterator[Step]:
    """Yield the runs in order: all runners in turn, starting with another one each time."""
    for repeat in range(max(workload.repeats for workload in workloads)):
        first = repeat % max(1, len(runners))
        turn = [*runners[first:], *runners[:first]]
        for workload in workloads:
            if repeat < workload.repeats:
                yield from (
                    (repeat, workload, runner)
                    for runner in turn
                    if runner.column in workload.columns and workload.only in {"", runner.name}
                )


def measure(workloads: Sequence[Workload], runners: Sequence[Runner]) -> Measurements:
    """Run everything and give what was measured."""
    measurements = Measurements({runner.name: runner.column for runner in runners})
    todo = list(steps(workloads, runners))
    began = time.monotonic()
    for number, (repeat, workload, runner) in enumerate(todo, start=1):
        tell(
            f"{number}/{len(todo)} {time.monotonic() - began:4.0f} s  repeat {repeat + 1}  "
            f"{workload.label}  {runner.name}"
        )
        try:
            measurements.add(runner.name, runner.run(workload))
        except WorkloadFailedError as error:
            measurements.fail(runner.name, workload.label)
            tell(f"  failed: {error}")
    return measurements


def tell(progress: str) -> None:
    """Show where the run is."""
    print(progress, file=sys.stderr, flush=True)
