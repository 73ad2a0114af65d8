"""What was measured, and why something was not. Pure."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(slots=True)
class Samples:
    """Every sample of a run, by figure.

    Attributes:
        absent: Why a scene was not played.
        failures: What went wrong in which scene.
    """

    absent: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    _samples: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, label: str, figures: Mapping[str, float | list[float]]) -> None:
        """Keep the figures of one run; a list is several samples."""
        for name, value in figures.items():
            many = value if isinstance(value, list) else [value]
            self._samples[f"{label}.{name}"] += many

    def of(self, figure: str) -> list[float]:
        """Return the measured values in ascending order."""
        return sorted(self._samples.get(figure, []))

    def median(self, figure: str) -> float | None:
        """Return the median; ``None`` without samples."""
        samples = self.of(figure)
        return statistics.median(samples) if samples else None

    def figures(self) -> list[str]:
        """List every figure, in the order in which they came."""
        return list(self._samples)


def percentiles(samples: Iterable[float]) -> dict[str, float]:
    """Return the 50th, 95th and 99th percentiles."""
    ordered = sorted(samples)
    return {f"p{share}": ordered[_rank(len(ordered), share)] for share in (50, 95, 99)}


def _rank(count: int, share: int) -> int:
    """Return the index of the sample with ``share`` per cent of samples at or below it."""
    return max(0, -(-count * share // 100) - 1)
