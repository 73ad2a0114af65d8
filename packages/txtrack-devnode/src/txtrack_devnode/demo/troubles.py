"""What goes wrong at the nodes in the demonstration, and what the tracker does about it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.table import Table

from beamish import telemetry
from txtrack_devnode.faults import (
    CutOff,
    Fault,
    Hang,
    Indexing,
    LaggingHead,
    LaggingReceipts,
    RateLimit,
    ServerFailure,
    StaleNull,
)

_REQUEST = ("transaction_tracker", "provider", "request")
_SWITCHED = ("transaction_tracker", "provider", "switched")
_APPLIED = ("transaction_tracker", "block", "applied")


@dataclass(frozen=True, slots=True)
class Trouble:
    """One way for a node to misbehave, and what that means to the tracker."""

    name: str
    fault: Fault
    meaning: str


TROUBLES = (
    Trouble("forgets what it has", StaleNull(times=12), "null is no fact"),
    Trouble("is still indexing", Indexing(times=12), "not yet is not never"),
    Trouble("has receipts too late", LaggingReceipts(blocks=2), "wait, keep the block"),
    Trouble("answers 503", ServerFailure(times=8), "ask the other"),
    Trouble("cuts its answers off", CutOff(times=8), "half an answer is none"),
    Trouble("is 5 blocks behind", LaggingHead(blocks=5), "follow the other"),
    Trouble("hangs", Hang(), "follow the other"),
    Trouble("answers 429, wait 1 s", RateLimit(retry_after=1, times=4), "wait, ask the other"),
)


@dataclass(frozen=True, slots=True)
class Episode:
    """What came of one trouble.

    Attributes:
        trouble: What the node did.
        struck: How often it did so.
        failed: Requests that got no answer meanwhile.
        switches: How often another node was followed from then on.
        blocks: Blocks that were applied meanwhile.
    """

    trouble: Trouble
    struck: int
    failed: int
    switches: int
    blocks: int


class Witness:
    """Counts what the tracker does."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear of it meanwhile."""
        telemetry.attach_many(self, (_REQUEST, _SWITCHED, _APPLIED), self._heard)
        try:
            yield
        finally:
            telemetry.detach(self)

    def begin(self) -> None:
        """Count from here on."""
        self._counts.clear()

    def tell(self, trouble: Trouble, struck: int) -> Episode:
        """Say what has been counted since the beginning."""
        counts = self._counts
        return Episode(trouble, struck, counts["failed"], counts["switched"], counts["applied"])

    def _heard(self, event: Any, _measured: Any, facts: Any, *_: object) -> None:
        if event != _REQUEST:
            self._counts[event[-1]] += 1
        elif facts["outcome"] != "ok":
            self._counts["failed"] += 1


def troubles_table(episodes: Sequence[Episode]) -> Table:
    """Draw what the nodes did, and what the tracker did about it.

    How often that hit a request, what it means, requests that failed, moves to another node,
    blocks that were applied all the same.
    """
    drawn = Table(box=box.SIMPLE, pad_edge=False)
    drawn.add_column("the node", style="bold")
    drawn.add_column("hit", justify="right")
    drawn.add_column("which means")
    drawn.add_column("failed", justify="right")
    drawn.add_column("moved", justify="right")
    drawn.add_column("blocks", justify="right")
    for one in episodes:
        counts = (str(number) for number in (one.failed, one.switches, one.blocks))
        drawn.add_row(one.trouble.name, str(one.struck), one.trouble.meaning, *counts)
    return drawn
