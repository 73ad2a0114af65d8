"""``txtrack watch``: track transactions in the terminal until all have ended."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from beamish import StartError
from transaction_tracker.cli import exits
from transaction_tracker.cli.exits import (
    NO_SOURCE,
    NOT_ENDED,
    BadInputError,
    CommandError,
    ended_by_sigterm,
)
from transaction_tracker.cli.flags import ConfigurationFlags, Transactions, WholeNumber, seconds
from transaction_tracker.cli.logs import redactors, show_warnings
from transaction_tracker.cli.output import printable
from transaction_tracker.cli.serve import failure
from transaction_tracker.domain import (
    STATES,
    InvalidTransactionError,
    ParkedError,
    Payment,
    Tracked,
)
from transaction_tracker.service import Settings, TransactionTrackerApplication
from transaction_tracker.settings import Configuration
from transaction_tracker.settings.convert import application_source
from transaction_tracker.sources import Source, SourceError
from transaction_tracker.sources.ethereum import EthereumSource, SecretUrl
from transaction_tracker.sources.http_polling import HttpPollingSource
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
        self._payments: dict[str, Payment] = {}
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
                has_changed = before is None or before.state != tracked.state
                if has_changed:
                    await self._load_payment(transaction)
                if self._live is None and has_changed:
                    self._print(f"{time.strftime('%H:%M:%S')} {transaction} {self._words(tracked)}")
        if self._live is not None:
            self._live.update(self._table(self._rows_that_fit()), refresh=True)

    def finish(self) -> None:
        """Print the last states, and the number of transactions in each state."""
        if self._moves:
            self._console.print(self._table(list(self._known.values())))
        counts = Counter(tracked.state for tracked in self._known.values())
        self._print(", ".join(f"{counts[state]} {state}" for state in STATES if counts[state]))

    async def _load_payment(self, transaction: str) -> None:
        details = await TransactionTracker.details(transaction)
        if details.payment is not None:
            self._payments[transaction] = details.payment

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
                Text(self._facts(tracked, _MAX_HASH_CHARACTERS)),
            )
        return table

    def _depth(self, tracked: Tracked) -> str:
        count = TransactionTracker.confirmations(tracked)
        return f"{min(count, tracked.required)}/{tracked.required}" if tracked.anchor else ""

    def _words(self, tracked: Tracked) -> str:
        return ", ".join(filter(None, [tracked.state, self._facts(tracked)]))

    def _facts(self, tracked: Tracked, max_hash: int | None = None) -> str:
        payment = self._payments.get(tracked.id)
        if payment is None or payment.value is None or payment.recipient is None:
            return _facts(tracked, max_hash)
        paid = f"{payment.value} wei to {_shortened(payment.recipient, max_hash)}"
        return ", ".join(filter(None, [paid, _facts(tracked, max_hash)]))

    def _print(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True)


async def watch(
    *transactions: Transactions,
    rpc: str | None = None,
    config: Path | None = None,
    chain_id: WholeNumber | None = None,
    confirmations: WholeNumber = 12,
    timeout: str | None = None,
    database: str = ":memory:",
    poll_interval: str | None = None,
) -> int:
    """Track transactions in this terminal until all have ended; no service is needed.

    A transaction ends as confirmed, failed (it reverted) or replaced (another transaction used its
    nonce), once it has enough confirmations; or as dropped, if it is missing for long. While the
    node does not respond, the command retries.

    Exit status, of several transactions the first in this list that fits one of them:

    - 5: the timeout was reached; the states so far are in the database, if it is a file.
    - 11: reversed. 3: failed. 9: invalid. 7: dropped. 8: expired. 4: replaced. 10: untracked.
    - 0: all are confirmed.
    - 1: error; 2: bad input, such as a malformed hash, before any request; 6: the node cannot be
      reached, or is on another chain than --chain-id.
    - 130, 143: interrupted by Ctrl-C, by SIGTERM.

    Args:
        transactions: Hashes, 0x and 64 hexadecimal digits each; without --rpc, ids of the service.
        rpc: JSON-RPC URL of the node, http or https. Only its host is ever printed. Without it, the
            command polls the service over HTTP in the configuration, with its
            source.expires_after.
        config: Configuration file with such a service. Default: the file of TXTRACK_CONFIG, or
            txtrack.toml if it exists.
        chain_id: Required chain of the node. Default: any chain.
        confirmations: Blocks that make a state final, including the transaction's own.
        timeout: Maximum time to wait, such as 30s or 5m. Default: no limit.
        database: File for the states, so that a later run resumes. With :memory:, the states are
            lost at the end.
        poll_interval: Time between two requests for a new block, such as 500ms or 2s; over HTTP,
            between two checks for transactions that are due. Default: source.poll_interval of
            the configuration; with --rpc, 1s.
    """
    limit = math.inf if timeout is None else seconds("--timeout", timeout)
    pause = None if poll_interval is None else seconds("--poll-interval", poll_interval)
    configuration = None if rpc is not None else ConfigurationFlags(config=config).load()
    given = _of_source(configuration, pause)
    settings = _settings(rpc, chain_id, confirmations, database, given)
    source = _source(settings, configuration)
    ids = _identified(source, transactions)
    await _reach(source)
    show_warnings([] if configuration is None else redactors(configuration))
    try:
        with ended_by_sigterm():
            async with TransactionTrackerApplication(settings, source=source) as application:
                return await _follow(ids, Scoreboard(Console(), application), limit)
    except StartError as error:
        raise failure(error) from error


def _source(
    settings: Settings, configuration: Configuration | None
) -> EthereumSource | HttpPollingSource:
    if configuration is None:
        return EthereumSource(settings.endpoints[0].url, settings.chain_id)
    if (source := application_source(configuration)) is None:
        raise BadInputError('watch needs --rpc URL, or a configuration with source.type = "http"')
    return source


def _of_source(configuration: Configuration | None, typed: float | None) -> dict[str, Any]:
    """Return the configured times of the source; a flag overrides them."""
    times: dict[str, Any] = {}
    if configuration is not None:
        source = configuration.source
        times = {"poll_interval": source.poll_interval, "expires_after": source.expires_after}
    return times if typed is None else times | {"poll_interval": typed}


def _settings(
    rpc: str | None,
    chain_id: int | None,
    confirmations: int,
    database: str,
    given: Mapping[str, Any],
) -> Settings:
    try:
        return Settings(
            None if rpc is None else SecretUrl.of(rpc),
            chain_id=chain_id,
            confirmations=confirmations,
            database=database if database == ":memory:" else Path(database),
            **given,
        )
    except ValueError as error:
        raise BadInputError(str(error)) from None


def _identified(source: Source, transactions: Sequence[str]) -> list[str]:
    """Return the ids in canonical form, without repetitions; raise an error for malformed ones."""
    ids: dict[str, None] = {}
    errors = []
    for text in transactions:
        try:
            ids[source.identify(text)] = None
        except InvalidTransactionError as error:
            errors.append(str(error))
    if errors:
        raise BadInputError("; ".join(errors))
    return list(ids)


async def _reach(source: Source) -> None:
    """Check the source before the application starts."""
    try:
        await source.check()
    except SourceError as error:
        await source.close()
        raise CommandError(str(error), NO_SOURCE) from None


async def _follow(ids: Sequence[str], board: Scoreboard, timeout: float) -> int:
    for transaction in ids:
        await TransactionTracker.start(transaction)
    with board.showing(ids):
        known = await _watched(ids, board, timeout)
    board.finish()
    return NOT_ENDED if known is None else _status(known)


async def _watched(
    ids: Sequence[str], board: Scoreboard, timeout: float
) -> list[Tracked | ParkedError] | None:
    """Show the transactions until all have ended; return ``None`` at the timeout."""
    waits = [asyncio.create_task(_end(transaction)) for transaction in ids]
    unfinished = set(waits)
    deadline = time.monotonic() + timeout
    try:
        while unfinished and (left := deadline - time.monotonic()) > 0:
            await board.show()
            _, unfinished = await asyncio.wait(unfinished, timeout=min(left, board.PAUSE))
        await board.show()
    finally:
        for wait in unfinished:
            wait.cancel()
    return None if unfinished else [wait.result() for wait in waits]


async def _end(transaction: str) -> Tracked | ParkedError:
    try:
        return await TransactionTracker.wait(transaction)
    except ParkedError as error:  # returned, so that the other transactions are still tracked
        return error


def _status(results: Sequence[Tracked | ParkedError]) -> int:
    for result in results:
        if isinstance(result, ParkedError):
            raise CommandError(str(result))
    return exits.of_states({result.state for result in results if isinstance(result, Tracked)})


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
