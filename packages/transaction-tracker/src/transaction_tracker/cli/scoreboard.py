"""What ``txtrack watch`` shows: a live table on a terminal, a line for each change elsewhere."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from transaction_tracker.application import TransactionTrackerApplication
from transaction_tracker.cli.text import printable
from transaction_tracker.domain import STATES, Tracked
from transaction_tracker.tracker import TransactionTracker

COLOURS = {"confirmed": "green", "failed": "red", "replaced": "bright_blue", "pending": "yellow"}
_ROOM_BESIDE_ROWS = 6
_SHORT_HASH = 20


class Scoreboard:
    """Shows what is known of the watched transactions.

    Args:
        console: Where to.
        application: What follows them.
    """

    PAUSE = 0.25

    def __init__(self, console: Console, application: TransactionTrackerApplication) -> None:
        self._console = console
        self._moves = console.is_terminal and not console.is_dumb_terminal
        self._application = application
        self._known: dict[str, Tracked] = {}
        self._live: Live | None = None

    @contextmanager
    def showing(self, ids: Sequence[str]) -> Iterator[None]:
        """Show these transactions meanwhile."""
        self._ids = ids
        if not self._moves:
            yield
            return
        with Live(console=self._console, auto_refresh=False, transient=True) as self._live:
            yield
        self._live = None

    async def show(self) -> None:
        """Ask for what is known, and show it."""
        for transaction in self._ids:
            before = self._known.get(transaction)
            if before is None or not before.final:
                tracked = await TransactionTracker.status(transaction)
                self._known[transaction] = tracked
                if self._live is None and (before is None or before.state != tracked.state):
                    self._print(f"{time.strftime('%H:%M:%S')} {transaction} {self._words(tracked)}")
        if self._live is not None:
            self._live.update(self._table(self._rows_that_fit()), refresh=True)

    def finish(self) -> None:
        """Print the last state of all, for good, and how many ended how."""
        if self._moves:
            self._console.print(self._table(list(self._known.values())))
        counts = Counter(tracked.state for tracked in self._known.values())
        self._print(", ".join(f"{counts[state]} {state}" for state in STATES if counts[state]))

    def _rows_that_fit(self) -> list[Tracked]:
        """Choose those that have not ended first, when there are more than lines."""
        room = max(1, self._console.height - _ROOM_BESIDE_ROWS)
        known = list(self._known.values())
        return known if len(known) <= room else sorted(known, key=lambda one: one.final)[:room]

    def _table(self, rows: Sequence[Tracked]) -> Table:
        tip = self._application.tip
        left_out = len(self._known) - len(rows)
        table = Table(
            box=box.SIMPLE_HEAD,
            title=f"{self._application.source.name}, block {tip.number if tip else '?'}",
            caption=f"and {left_out} more" if left_out else None,
        )
        table.add_column("transaction", no_wrap=True)
        table.add_column("state", no_wrap=True, min_width=max(map(len, STATES)))
        table.add_column("depth", justify="right", no_wrap=True, min_width=5)
        table.add_column("what is known", no_wrap=True)
        for tracked in rows:
            style = COLOURS.get(tracked.state, "cyan")
            table.add_row(
                _shortened(tracked.id, _SHORT_HASH),
                Text(tracked.state, style),
                self._depth(tracked),
                Text(_facts(tracked, _SHORT_HASH)),
            )
        return table

    def _depth(self, tracked: Tracked) -> str:
        count = TransactionTracker.confirmations(tracked)
        return f"{min(count, tracked.required)}/{tracked.required}" if tracked.anchor else ""

    def _words(self, tracked: Tracked) -> str:
        return ", ".join(filter(None, [tracked.state, _facts(tracked)]))

    def _print(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)


def _facts(tracked: Tracked, longest_hash: int | None = None) -> str:
    facts = []
    if tracked.anchor is not None:
        facts.append(f"block {tracked.anchor.number}")
    if tracked.outcome is not None and tracked.outcome.error:
        facts.append(tracked.outcome.error)
    if tracked.superseded_by is not None:
        facts.append(f"{tracked.reason} by {_shortened(tracked.superseded_by, longest_hash)}")
    if tracked.error is not None:
        facts.append(f"parked: {tracked.error}")
    return printable(", ".join(facts))


def _shortened(text: str, longest: int | None) -> str:
    return text if longest is None or len(text) <= longest else f"{text[: longest - 1]}…"
