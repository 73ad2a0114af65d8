"""The output of ``txtrack watch``: a live table on a terminal, otherwise a line per change."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from transaction_tracker.cli.text import printable
from transaction_tracker.domain import STATES, Tracked
from transaction_tracker.service import TransactionTrackerApplication
from transaction_tracker.tracker import TransactionTracker

COLOURS = {"confirmed": "green", "failed": "red", "replaced": "bright_blue", "pending": "yellow"}
# Lines of the table other than its rows.
_FRAME_LINES = 6
_MAX_HASH_CHARACTERS = 20


class Scoreboard:
    """Shows the states of the watched transactions.

    Args:
        console: Console for the output.
        application: Application that tracks the transactions.
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
        """Show these transactions while the block runs."""
        self._ids = ids
        if not self._moves:
            yield
            return
        with Live(console=self._console, auto_refresh=False, transient=True) as self._live:
            yield
        self._live = None

    async def show(self) -> None:
        """Load the states and show them."""
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
        """Print the last states, and the number of transactions in each state."""
        if self._moves:
            self._console.print(self._table(list(self._known.values())))
        counts = Counter(tracked.state for tracked in self._known.values())
        self._print(", ".join(f"{counts[state]} {state}" for state in STATES if counts[state]))

    def _rows_that_fit(self) -> list[Tracked]:
        """Return the rows that fit on the screen; unfinished transactions first if not all fit."""
        lines = max(1, self._console.height - _FRAME_LINES)
        known = list(self._known.values())
        if len(known) <= lines:
            return known
        return sorted(known, key=lambda tracked: tracked.final)[:lines]

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
        table.add_column("details", no_wrap=True)
        for tracked in rows:
            style = COLOURS.get(tracked.state, "cyan")
            table.add_row(
                _shortened(tracked.id, _MAX_HASH_CHARACTERS),
                Text(tracked.state, style),
                self._depth(tracked),
                Text(_facts(tracked, _MAX_HASH_CHARACTERS)),
            )
        return table

    def _depth(self, tracked: Tracked) -> str:
        count = TransactionTracker.confirmations(tracked)
        return f"{min(count, tracked.required)}/{tracked.required}" if tracked.anchor else ""

    def _words(self, tracked: Tracked) -> str:
        return ", ".join(filter(None, [tracked.state, _facts(tracked)]))

    def _print(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)


def _facts(tracked: Tracked, max_hash: int | None = None) -> str:
    facts = []
    if tracked.anchor is not None:
        facts.append(f"block {tracked.anchor.number}")
    if tracked.outcome is not None and tracked.outcome.error:
        facts.append(tracked.outcome.error)
    if tracked.superseded_by is not None:
        facts.append(f"{tracked.reason} by {_shortened(tracked.superseded_by, max_hash)}")
    if tracked.error is not None:
        facts.append(f"parked: {tracked.error}")
    return printable(", ".join(facts))


def _shortened(text: str, limit: int | None) -> str:
    return text if limit is None or len(text) <= limit else f"{text[: limit - 1]}…"
