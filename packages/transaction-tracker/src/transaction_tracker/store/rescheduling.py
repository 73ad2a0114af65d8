"""Correct times that were stored while the clock was ahead.

A clock that is wrong for a minute, as after a boot without a network, can be wrong by years. A
delivery or deadline that was stored in that minute must not wait for years once the clock is right.
"""

import time

from sqlalchemy import Connection, and_, literal_column, update

from transaction_tracker.domain.webhook_endpoint import MAX_OVERLAP_SECONDS
from transaction_tracker.store.schema.outbox import endpoints, outbox
from transaction_tracker.store.schema.transactions import OPEN, transactions

# The longest delay of a retry: a day, and a fifth of it as jitter. A later due time was computed
# with a wrong clock.
MAX_DELAY_SECONDS = 1.2 * 86_400.0


def is_late(
    previous_until: float | None, latest: float | None, now: float, *, clock_changed: bool
) -> bool:
    """Return whether times of an endpoint were, or can have been, stored while the clock was ahead.

    Args:
        previous_until: Unix seconds until which the secret before the last rotation is valid.
        latest: The latest due time of the endpoint's pending deliveries.
        now: Unix seconds.
        clock_changed: Whether the clock can have been ahead before.
    """
    if previous_until is not None and previous_until > now + MAX_OVERLAP_SECONDS:
        return True
    if latest is None or latest <= now:
        return False
    return clock_changed or latest > now + MAX_DELAY_SECONDS


def reschedule(connection: Connection, endpoint: str, now: float) -> None:
    """Correct the times of an endpoint's pending deliveries that are in the future by mistake.

    A delivery that was never tried is due when it is stored, so it is due now. One whose last
    attempt is in the future keeps its delay, counted from now. Any other is due now if its due time
    is beyond the longest delay.

    Args:
        connection: Inside a database transaction.
        endpoint: The endpoint's id.
        now: Unix seconds of the current clock.
    """
    # Literal as in the partial index.
    mine = and_(outbox.c.endpoint_id == endpoint, outbox.c.state == literal_column("'pending'"))
    late = and_(mine, outbox.c.due_at > now)
    never_tried = update(outbox).where(late, outbox.c.attempts == 0).values(due_at=now)
    tried_later = (
        update(outbox)
        .where(late, outbox.c.tried_at > now)
        .values(due_at=now + (outbox.c.due_at - outbox.c.tried_at), tried_at=now)
    )
    too_late = update(outbox).where(mine, outbox.c.due_at > now + MAX_DELAY_SECONDS)
    # The age of the oldest delivery shows for how long deliveries are late.
    written_later = update(outbox).where(mine, outbox.c.created_at > now).values(created_at=now)
    for statement in (never_tried, tried_later, too_late.values(due_at=now), written_later):
        connection.execute(statement)
    _end_overlap(connection, endpoint, now)


def correct_deadlines(connection: Connection) -> None:
    """Correct the deadlines of open transactions that were registered in the future.

    A deadline is stored as a time. If the registration is in the future, the transaction keeps its
    time until the deadline, counted from now.
    """
    now, created_at = time.time(), transactions.c.created_at
    later = {"deadline": transactions.c.deadline - (created_at - now), "created_at": now}
    connection.execute(update(transactions).where(OPEN, created_at > now).values(later))


def _end_overlap(connection: Connection, endpoint: str, now: float) -> None:
    """Limit the validity of a secret before a rotation to the longest possible overlap."""
    latest = now + MAX_OVERLAP_SECONDS
    late = and_(endpoints.c.id == endpoint, endpoints.c.previous_until > latest)
    connection.execute(update(endpoints).where(late).values(previous_until=latest))
