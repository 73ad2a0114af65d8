"""Read the gauges of the metrics from the parts of the service."""

import asyncio
import time
from dataclasses import replace

from beamish import ExitError
from transaction_tracker.alerts import AlertBoard
from transaction_tracker.api import Following
from transaction_tracker.delivery import endpoints
from transaction_tracker.metrics import Gauges
from transaction_tracker.store import OpenTransactions, Store, StoreError
from transaction_tracker.tracker import TrackerContext

# Shorter than Prometheus' own limit of 10 s for a page.
_DATABASE_TIMEOUT_SECONDS = 2.0


async def read_gauges(following: Following, alerts: AlertBoard) -> Gauges:
    """Return the values of the gauges, except those of the HTTP API.

    While the database does not answer, the gauges that are read from it are omitted, and the others
    show the problem.

    Args:
        following: Progress of the follower.
        alerts: The alerts.
    """
    open_transactions, verdict = TrackerContext.current().open_transactions, following.verdict
    gauges = Gauges(
        tracked=open_transactions.census.by_state,
        alerts=alerts.counts(),
        alerts_evaluated_seconds=alerts.evaluated_seconds,
        alert_notices_pending=alerts.queued,
        parked=open_transactions.census.parked,
        head_lag_seconds=following.heard_seconds,
        head_lag_blocks=blocks_behind(following.head, open_transactions),
        source_halted=int(verdict.state == "halted"),
        source_lagging=int(verdict.state == "lagging"),
        last_block_applied_seconds=following.applied_seconds,
        ends_held=int(following.ends_held),
    )
    try:
        async with asyncio.timeout(_DATABASE_TIMEOUT_SECONDS):
            return await _with_deliveries(gauges)
    except (TimeoutError, StoreError, ExitError):
        return gauges


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
