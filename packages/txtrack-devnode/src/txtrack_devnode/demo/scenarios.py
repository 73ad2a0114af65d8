"""The faults of the demo, and counts of how the tracker handled them."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
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
class FaultScenario:
    """A fault of a node, and how the tracker must handle it."""

    name: str
    fault: Fault
    handling: str


SCENARIOS = (
    FaultScenario("answers null", StaleNull(times=12), "null proves nothing"),
    FaultScenario("is still indexing", Indexing(times=12), "ask again later"),
    FaultScenario("has receipts too late", LaggingReceipts(blocks=2), "wait, keep the block"),
    FaultScenario("answers 503", ServerFailure(times=8), "ask the other node"),
    FaultScenario("cuts off its answers", CutOff(times=8), "discard the answer"),
    FaultScenario("is 5 blocks behind", LaggingHead(blocks=5), "follow the other node"),
    FaultScenario("hangs", Hang(), "follow the other node"),
    FaultScenario(
        "answers 429, wait 1 s", RateLimit(retry_after=1, times=4), "wait, ask the other node"
    ),
)


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """Counts of one scenario.

    Attributes:
        scenario: The scenario.
        triggered: How many times the fault was triggered.
        failed: Number of failed requests.
        switches: How many times the tracker switched to another node.
        blocks: Number of blocks that the tracker applied.
    """

    scenario: FaultScenario
    triggered: int
    failed: int
    switches: int
    blocks: int


class ActivityCounter:
    """Counts events of the tracker."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count events while the block runs."""
        telemetry.attach_many(self, (_REQUEST, _SWITCHED, _APPLIED), self._count)
        try:
            yield
        finally:
            telemetry.detach(self)

    @contextmanager
    def at_switches(self, callback: Callable[[str], object]) -> Iterator[None]:
        """Call ``callback`` with the provider's name at each switch while the block runs."""
        telemetry.attach(
            callback, _SWITCHED, lambda _event, _measured, facts: callback(facts["provider"])
        )
        try:
            yield
        finally:
            telemetry.detach(callback)

    def reset(self) -> None:
        """Set all counts to 0."""
        self._counts.clear()

    def result(self, scenario: FaultScenario, triggered: int) -> ScenarioResult:
        """Return the counts since the last reset."""
        counts = self._counts
        return ScenarioResult(
            scenario, triggered, counts["failed"], counts["switched"], counts["applied"]
        )

    def _count(self, event: Any, _measured: Any, facts: Any, *_: object) -> None:
        if event != _REQUEST:
            self._counts[event[-1]] += 1
        elif facts["outcome"] != "ok":
            self._counts["failed"] += 1


def scenario_table(results: Sequence[ScenarioResult]) -> Table:
    """Return a table of the scenarios and how the tracker handled them.

    The columns: how many times the fault was triggered, how the tracker must handle it, failed
    requests, switches to another node, blocks that the tracker applied.
    """
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("the node", style="bold")
    table.add_column("triggered", justify="right")
    table.add_column("the tracker must")
    table.add_column("failed", justify="right")
    table.add_column("switched", justify="right")
    table.add_column("blocks", justify="right")
    for result in results:
        scenario = result.scenario
        counts = (str(number) for number in (result.failed, result.switches, result.blocks))
        table.add_row(scenario.name, str(result.triggered), scenario.handling, *counts)
    return table
