"""What was measured, and the medians and ratios drawn from it. Pure."""

import statistics
from collections import defaultdict
from dataclasses import dataclass, field

from benchmarks.plan import Column, Row


@dataclass(slots=True)
class Measurements:
    """Every sample of a run, by runner and figure.

    Args:
        columns: Which column each runner counts for.
    """

    columns: dict[str, Column]
    failures: list[str] = field(default_factory=list)
    _samples: defaultdict[tuple[str, str], list[float]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def add(self, runner: str, figures: dict[str, float]) -> None:
        """Keep the figures of one run of ``runner``."""
        for figure, value in figures.items():
            self._samples[runner, figure].append(value)

    def fail(self, runner: str, workload: str) -> None:
        """Remember that ``runner`` gave no figures."""
        self.failures.append(f"{workload} on {runner}")

    def samples(self, runner: str, figure: str) -> list[float]:
        """Return the measured values in ascending order."""
        return sorted(self._samples.get((runner, figure), []))

    def figures(self) -> list[str]:
        """List every figure that somebody gave, in the order they came."""
        return list(dict.fromkeys(figure for _, figure in self._samples))

    def median(self, column: Column, figure: str) -> float | None:
        """Return the column's median; of several runners, the best one's."""
        medians = [
            statistics.median(samples)
            for runner, of in self.columns.items()
            if of == column and (samples := self.samples(runner, figure))
        ]
        return min(medians, default=None)

    def value(self, row: Row, column: Column) -> float | None:
        """Return the value of ``row`` in ``column``."""
        return self.median(column, row.source(column))

    def ratio(self, row: Row, to: Column, of: Column = "beamish") -> float | None:
        """Return the median of ``of`` divided by that of ``to``."""
        ours, theirs = self.value(row, of), self.value(row, to)
        return ours / theirs if ours is not None and theirs else None
