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
        limit: The target.
        show: How its values look.
        scene: The scene that measures it.
        is_minimum: Whether the figure must be at least the target, not at most.
        why: What keeps the figure from its target; shown where it is missed.
    """

    title: str
    figure: str
    limit: float
    show: Show
    scene: str
    is_minimum: bool = False
    why: str = ""

    def cells(self, samples: Samples, why_not: str) -> list[str]:
        """Set a line: title, target, median and what became of it.

        Args:
            samples: What was measured.
            why_not: Shown where nothing was.
        """
        target = f"{'≥' if self.is_minimum else '≤'} {self.show(self.limit)}"
        median = samples.median(self.figure)
        if median is None:
            return [self.title, target, why_not, ""]
        is_met = self._excess(median) <= 0
        return [self.title, target, self.show(median), "met" if is_met else "**missed**"]

    def miss(self, samples: Samples) -> str:
        """Return by how much the target is missed, and why; empty if it is not, or not measured."""
        median = samples.median(self.figure)
        if median is None or (excess := self._excess(median)) <= 0:
            return ""
        side = "under" if self.is_minimum else "over"
        found = f"{self.show(median)}, which is {100 * excess:.2g}% {side} {self.show(self.limit)}"
        return f"**{self.title}**: {found}. {self.why}".strip()

    def _excess(self, value: float) -> float:
        """Return how far a value is on the wrong side of the target, as a share of the target."""
        excess = (value - self.limit) / self.limit
        return -excess if self.is_minimum else excess


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
    *(
        Target(
            f"requests per block, blocks of 0.25 s, {title}",
            f"fast.{name}.requests",
            4.0,
            three_digits,
            "fast",
        )
        for name, title in (("usual", "asking each second"), ("eager", "asking four times a block"))
    ),
    Target(
        "blocks per second when catching up, round trip of 100 ms",
        "catching_up.rate",
        200.0,
        three_digits,
        "fast",
        is_minimum=True,
        why=(
            "Blocks are fetched while others are applied, so the processor decides: each block is "
            "checked, and every tenth one is stored with a transition."
        ),
    ),
    Target(
        "detection on anvil, p99, head seen to state stored",
        "detection.anvil.asking.detected.p99",
        0.1,
        time_text,
        "detection",
        why=(
            "Most of it is the node's own time, which the table of detections shows: anvil "
            "computes the senders of all transactions of the block again for each request about it."
        ),
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
        1.5e9,
        size_text,
        "boot",
        why=(
            "A transaction takes about 1,300 B in objects: its process with the pid, the names and "
            "the child specification, the id, and the texts of its slot and its content. The dicts "
            "and heaps that find it take 270 B more, and the program without transactions 150 MB. "
            "Ids and slots as bytes would take less, but they are texts as they were registered."
        ),
    ),
    Target(
        "10,000 transactions registered by one HTTP request",
        "registration.SQLite.request",
        2.0,
        time_text,
        "registration",
    ),
    Target(
        "longest time that a block of 10,000 tracked transactions blocks the event loop",
        "applying.SQLite.10000.blocked",
        0.02,
        time_text,
        "blocks",
    ),
    *(
        Target(
            f"an event's way to a receiver while {count} others never answer, p99",
            f"hanging.{count}.p99",
            1.0,
            time_text,
            "hanging",
        )
        for count in (63, 499)
    ),
)
