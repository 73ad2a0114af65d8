"""What the figures are held to. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.formats import size_text, three_digits, time_text
from benchmarks.tracker.samples import Samples
from benchmarks.tracker.sizes import MILLION

Show = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Target:
    """A figure that has a target.

    Attributes:
        title: What it is.
        figure: Its name among the samples.
        at_most: The target.
        show: How its values look.
        scene: The scene that measures it.
    """

    title: str
    figure: str
    at_most: float
    show: Show
    scene: str

    def cells(self, samples: Samples, why_not: str) -> list[str]:
        """Set a line: title, target, median and what became of it.

        Args:
            samples: What was measured.
            why_not: Shown where nothing was.
        """
        median = samples.median(self.figure)
        if median is None:
            return [self.title, f"≤ {self.show(self.at_most)}", why_not, ""]
        verdict = "met" if median <= self.at_most else "**missed**"
        return [self.title, f"≤ {self.show(self.at_most)}", self.show(median), verdict]


TARGETS = (
    *(
        Target(
            f"requests per block, {tracked:,} tracked",
            f"following.{tracked}.requests",
            4.0,
            three_digits,
            "requests",
        )
        for tracked in (1_000, 10_000, 100_000)
    ),
    Target(
        "detection on anvil, p99, head seen to state stored",
        "detection.anvil.asking.detected.p99",
        0.1,
        time_text,
        "detection",
    ),
    Target(
        "100,000 open transactions resumed, all trackers run and a block applied",
        "boot.SQLite.100000.applied",
        5.0,
        time_text,
        "boot",
    ),
    Target(
        "memory per tracked transaction, with its process",
        "boot.SQLite.100000.bytes",
        2_500.0,
        size_text,
        "boot",
    ),
    Target(
        f"memory of the whole program with {MILLION:,}",
        f"boot.SQLite.{MILLION}.peak",
        2.5e9,
        size_text,
        "boot",
    ),
    Target(
        "10,000 transactions registered by one HTTP request",
        "registration.SQLite.request",
        2.0,
        time_text,
        "registration",
    ),
)
