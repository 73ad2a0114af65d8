"""``txtrack watch``: follow given transactions until all have ended."""

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console

from beamish import StartError
from transaction_tracker.application import Settings, TransactionTrackerApplication
from transaction_tracker.cli import exits
from transaction_tracker.cli.exits import NO_SOURCE, NOT_ENDED, BadInputError, CommandError
from transaction_tracker.cli.failures import failure
from transaction_tracker.cli.flags import ConfigurationFlags, Transactions, seconds
from transaction_tracker.cli.logs import show_warnings
from transaction_tracker.cli.scoreboard import Scoreboard
from transaction_tracker.cli.secrets import redactors
from transaction_tracker.cli.signals import ended_by_sigterm
from transaction_tracker.domain import InvalidTransactionError, ParkedError, Tracked
from transaction_tracker.settings import Configuration
from transaction_tracker.settings.convert import application_source
from transaction_tracker.sources import Source, SourceError
from transaction_tracker.sources.ethereum import EthereumSource
from transaction_tracker.sources.http_polling import HttpPollingSource
from transaction_tracker.tracker import TransactionTracker

_Positive = Number(gte=1)


async def watch(
    *transactions: Transactions,
    rpc: str | None = None,
    config: Path | None = None,
    chain_id: Annotated[int | None, Parameter(validator=_Positive)] = None,
    confirmations: Annotated[int, Parameter(validator=_Positive)] = 12,
    timeout: str | None = None,
    database: str = ":memory:",
    poll_interval: str | None = None,
) -> int:
    """Track transactions in this terminal until all have ended; no service is needed.

    A transaction ends confirmed, failed (it reverted) or replaced (another one took its nonce), and
    only when enough blocks stand on that; or dropped, when no node knows it for long. While the
    node does not answer, it is asked again and again.

    Exit status, of several transactions the first in this list that fits one of them:

    - 5: the timeout came first; what is known is in the database, if there is one.
    - 11: reversed. 3: failed. 9: invalid. 7: dropped. 8: expired. 4: replaced. 10: untracked.
    - 0: all are confirmed.
    - 1: trouble; 2: bad input, such as a malformed hash, and nothing was asked or stored; 6: the
      node cannot be reached, or is on another chain than --chain-id.
    - 130, 143: interrupted by Ctrl-C, by SIGTERM.

    Args:
        transactions: Hashes, 0x and 64 hexadecimal digits each; without --rpc, ids of the service.
        rpc: The node's JSON-RPC address, http or https. Only its host is ever printed. Without it,
            a service over HTTP is asked, which the configuration names; its source.expires_after
            counts too.
        config: Configuration file that names such a service; without it that of TXTRACK_CONFIG, or
            txtrack.toml if it is there.
        chain_id: Refuse a node of another chain; without it, any chain is accepted.
        confirmations: Blocks, the transaction's own counted, that make a state final.
        timeout: Time to wait at most, such as 30s or 5m; without it, as long as it takes.
        database: File that keeps what is known, so that watching again continues where it was.
            With :memory:, all is forgotten at the end.
        poll_interval: Time between questions for a new block, such as 500ms or 2s; over HTTP,
            between two looks at which transactions are due. Without it, source.poll_interval of
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
        raise BadInputError('give --rpc URL, or a configuration with source.type = "http"')
    return source


def _of_source(configuration: Configuration | None, typed: float | None) -> dict[str, Any]:
    """Give the times that a configured source goes by; what was typed is heavier."""
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
            rpc,
            chain_id=chain_id,
            confirmations=confirmations,
            database=database if database == ":memory:" else Path(database),
            **given,
        )
    except ValueError as error:
        raise BadInputError(str(error)) from None


def _identified(source: Source, transactions: Sequence[str]) -> list[str]:
    """Write each id in its one form, once; name all that are malformed."""
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
    """Make sure of the node before anything starts."""
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
    """Show what happens until all have ended; ``None`` if the time is up before."""
    waits = [asyncio.create_task(_end(transaction)) for transaction in ids]
    open_ones = set(waits)
    deadline = time.monotonic() + timeout
    try:
        while open_ones and (left := deadline - time.monotonic()) > 0:
            await board.show()
            _, open_ones = await asyncio.wait(open_ones, timeout=min(left, board.PAUSE))
        await board.show()
    finally:
        for wait in open_ones:
            wait.cancel()
    return None if open_ones else [wait.result() for wait in waits]


async def _end(transaction: str) -> Tracked | ParkedError:
    try:
        return await TransactionTracker.wait(transaction)
    except ParkedError as error:  # the others live on
        return error


def _status(known: Sequence[Tracked | ParkedError]) -> int:
    for one in known:
        if isinstance(one, ParkedError):
            raise CommandError(str(one))
    return exits.of_states({one.state for one in known if isinstance(one, Tracked)})
