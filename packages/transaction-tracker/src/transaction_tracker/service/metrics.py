"""Read the gauges of the metrics from the parts of the service."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from beamish import ExitError
from transaction_tracker.alerts import AlertBoard
from transaction_tracker.api import Following
from transaction_tracker.delivery import endpoints
from transaction_tracker.metrics import Gauges, LeaseGauges, SourceGauges
from transaction_tracker.store import LeaseHolder, OpenTransactions, Store, StoreError

# Shorter than Prometheus' own limit of 10 s for a page.
_DATABASE_TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class SourceReading:
    """What one source shows.

    Attributes:
        following: Progress of the follower.
        open_transactions: The transactions that are not final, in memory.
        paused: Whether an operator has paused it.
    """

    following: Following
    open_transactions: OpenTransactions
    paused: bool = False


async def read_gauges(sources: Mapping[str | None, SourceReading], alerts: AlertBoard) -> Gauges:
    """Return the values of the gauges, except those of the HTTP API.

    While the database does not answer, the gauges that are read from it are omitted, and the others
    show the problem.

    Args:
        sources: What each source shows, by its name; the name ``None`` is that of the only one.
        alerts: The alerts.
    """
    values = {name: _of_source(reading) for name, reading in sources.items() if name is not None}
    gauges = Gauges(
        alerts=alerts.counts(),
        alerts_evaluated_seconds=alerts.evaluated_seconds,
        alert_notices_pending=alerts.queued,
    )
    if None in sources:
        only = _of_source(sources[None])
        shown = {each.name: getattr(only, each.name) for each in fields(only)}
        del shown["source_paused"]  # the only source cannot be paused
        gauges = replace(gauges, **shown)
    else:
        gauges = replace(gauges, sources=values)
    try:
        async with asyncio.timeout(_DATABASE_TIMEOUT_SECONDS):
            return await _with_deliveries(gauges)
    except (TimeoutError, StoreError, ExitError):
        return gauges


def lease_gauges(holder: LeaseHolder) -> LeaseGauges:
    """Return the values about the lease of a program."""
    seconds = holder.owned_for()
    return LeaseGauges(
        owner=int(seconds > 0),
        epoch=holder.epoch,
        seconds=seconds,
        renewals=holder.renewals,
        failed_renewals=holder.failed_renewals,
        takeovers=holder.claims,
    )


def _of_source(reading: SourceReading) -> SourceGauges:
    following, open_transactions = reading.following, reading.open_transactions
    verdict = following.verdict
    return SourceGauges(
        tracked=open_transactions.census.by_state,
        parked=open_transactions.census.parked,
        head_lag_seconds=following.heard_seconds,
        head_lag_blocks=blocks_behind(following.head, open_transactions),
        source_halted=int(verdict.state == "halted"),
        source_lagging=int(verdict.state == "lagging"),
        source_paused=int(reading.paused),
        last_block_applied_seconds=following.applied_seconds,
        ends_held=int(following.ends_held),
    )


def blocks_behind(head: int | None, open_transactions: OpenTransactions) -> int | None:
    """Return the number of blocks from the last applied block to the head; ``None`` if unknown."""
    tip = open_transactions.tip
    return None if head is None or tip is None else max(0, head - tip.number)


async def _with_deliveries(gauges: Gauges) -> Gauges:
    waiting = await endpoints.backlog()
    return replace(
        gauges,
        outbox_pending=waiting.pending,
        outbox_oldest_seconds=0.0 if waiting.oldest is None else time.time() - waiting.oldest,
        endpoints_failing=await endpoints.count_failing(),
        deliveries_frozen=int(await Store.frozen() is not None),
    )
