"""Read the gauges of the metrics from the parts of the service."""

import time

from transaction_tracker.api import Following
from transaction_tracker.delivery import endpoints
from transaction_tracker.metrics import Gauges
from transaction_tracker.store import Store
from transaction_tracker.tracker import TrackerContext


async def read_gauges(following: Following) -> Gauges:
    """Return the values of the gauges, except those of the HTTP API.

    Args:
        following: Progress of the follower.
    """
    head, open_transactions, verdict = (
        following.head,
        TrackerContext.current().open_transactions,
        following.verdict,
    )
    waiting = await endpoints.backlog()
    behind = (
        None
        if head is None or open_transactions.tip is None
        else max(0, head - open_transactions.tip.number)
    )
    return Gauges(
        tracked=open_transactions.census.by_state,
        parked=open_transactions.census.parked,
        head_lag_seconds=following.heard_seconds,
        head_lag_blocks=behind,
        source_halted=int(verdict.state == "halted"),
        source_lagging=int(verdict.state == "lagging"),
        last_block_applied_seconds=following.applied_seconds,
        ends_held=int(following.ends_held),
        outbox_pending=waiting.pending,
        outbox_oldest_seconds=0.0 if waiting.oldest is None else time.time() - waiting.oldest,
        endpoints_failing=await endpoints.count_failing(),
        deliveries_frozen=int(await Store.frozen() is not None),
    )
