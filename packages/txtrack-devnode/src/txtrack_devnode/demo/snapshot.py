"""The numbers that the demo shows while it runs, and their layout."""

from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from transaction_tracker.domain import STATES, State

COLOURS: dict[State, str] = {
    "registered": "bright_black",
    "pending": "yellow",
    "missing": "bright_yellow",
    "mined": "cyan",
    "mined_reverted": "magenta",
    "superseded": "blue",
    "confirmed": "green",
    "failed": "red",
    "replaced": "bright_blue",
    "dropped": "bright_magenta",
    "expired": "bright_red",
    "invalid": "bright_red",
    "untracked": "bright_black",
    "reversed": "red",
}
# States that no payment of the demo reaches: shown only if one does.
_RARE: frozenset[State] = frozenset(("invalid", "untracked", "reversed"))
_BAR_WIDTH = 34


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Counts of transactions, trackers and requests at one time."""

    counts: Mapping[State, int]
    height: int
    head_hash: str
    trackers: int
    restarts: int
    requests: int
    seconds: float

    @property
    def total(self) -> int:
        """Number of tracked transactions."""
        return sum(self.counts.values())

    @property
    def requests_per_block(self) -> float:
        """Average number of requests per block."""
        return self.requests / max(1, self.height)

    def line(self) -> str:
        """Return one line of text, for output that is not a terminal."""
        states = ", ".join(f"{state} {count}" for state, count in self.counts.items() if count)
        return (
            f"[{self.seconds:5.1f} s] block {self.height:>3}: {states or 'no transactions'}"
            f" | {counted(self.trackers, 'tracker')}, {counted(self.restarts, 'restart')}"
        )

    def panel(self) -> RenderableType:
        """Return the panel for a terminal."""
        columns = Table.grid(expand=True, padding=(0, 2))
        columns.add_column(ratio=1)
        columns.add_column(justify="left")
        columns.add_row(self._states(), self._numbers())
        title = f"block {self.height}  {self.head_hash[:10]}"
        return Panel(Group(columns), title=title, title_align="left", border_style="bright_black")

    def _states(self) -> Table:
        grid = Table.grid(padding=(0, 1))
        for state in STATES:
            count = self.counts.get(state, 0)
            if state in _RARE and not count:
                continue
            style = COLOURS[state] if count else "bright_black"
            grid.add_row(Text(state, style), Text(f"{count:>5}", style), self._bar(count, style))
        return grid

    def _bar(self, count: int, style: str) -> Text:
        # At least one character, so that a single transaction among thousands is visible.
        width = max(count > 0, round(count * _BAR_WIDTH / max(1, self.total)))
        return Text("━" * width, style)

    def _numbers(self) -> Table:
        grid = Table.grid(padding=(0, 1))
        for name, value in (
            ("transactions", f"{self.total}"),
            ("trackers", f"{self.trackers}"),
            ("restarts", f"{self.restarts}"),
            ("requests/block", f"{self.requests_per_block:.1f}"),
            ("seconds", f"{self.seconds:.1f}"),
        ):
            grid.add_row(Text(name, "bright_black"), Text(value.rjust(6), "bold"))
        return grid


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as "2 trackers"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
