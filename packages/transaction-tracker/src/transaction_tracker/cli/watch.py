"""``txtrack watch``: track transactions in the terminal until all have ended."""

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
from transaction_tracker.cli import exits
from transaction_tracker.cli.exits import NO_SOURCE, NOT_ENDED, BadInputError, CommandError
from transaction_tracker.cli.failures import failure
from transaction_tracker.cli.flags import ConfigurationFlags, Transactions, seconds
from transaction_tracker.cli.logs import show_warnings
from transaction_tracker.cli.scoreboard import Scoreboard
from transaction_tracker.cli.secrets import redactors
from transaction_tracker.cli.signals import ended_by_sigterm
from transaction_tracker.domain import InvalidTransactionError, ParkedError, Tracked
from transaction_tracker.service import Settings, TransactionTrackerApplication
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
            rpc,
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
