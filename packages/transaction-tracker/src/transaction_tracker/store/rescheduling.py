"""Times that were stored while the clock was ahead: they are judged again.

A clock that is wrong for a minute, as after a boot without a network, can be wrong by years. What
was stored in that minute must not wait for years once the clock is right.
"""

import time

from sqlalchemy import Connection, and_, literal_column, update

from transaction_tracker.store.schema.outbox import endpoints, outbox
from transaction_tracker.store.schema.transactions import OPEN, transactions

# No retry is scheduled later than this after the attempt that failed: a day, and a fifth of it
# as jitter. A later due time was computed with another clock.
MAX_DELAY_SECONDS = 1.2 * 86_400.0
# For so long both secrets of a rotation can count.
MAX_OVERLAP_SECONDS = 30 * 86_400.0


def is_late(
    previous_until: float | None, latest: float | None, now: float, *, clock_changed: bool
) -> bool:
    """Return whether times of an endpoint were stored while the clock was ahead, or may have been.

    Args:
        previous_until: Unix seconds until which the secret before the last rotation counts.
        latest: The latest due time of the endpoint's pending deliveries.
        now: Unix seconds.
        clock_changed: Whether the clock may have been ahead before.
    """
    if previous_until is not None and previous_until > now + MAX_OVERLAP_SECONDS:
        return True
    if latest is None or latest <= now:
        return False
    return clock_changed or latest > now + MAX_DELAY_SECONDS


def reschedule(connection: Connection, endpoint: str, now: float) -> None:
    """Correct the times of an endpoint's pending deliveries that lie in the future by mistake.

    A delivery that was never tried is due when it is written, so it is due now. One whose last
    attempt lies in the future keeps its delay, counted from now. Any other is due now if it would
    wait for longer than the longest delay.

    Args:
        connection: Inside a database transaction.
        endpoint: The endpoint's id.
        now: Unix seconds, by the clock as it is now.
    """
    # In the words of the partial index.
    mine = and_(outbox.c.endpoint_id == endpoint, outbox.c.state == literal_column("'pending'"))
    late = and_(mine, outbox.c.due_at > now)
    never_tried = update(outbox).where(late, outbox.c.attempts == 0).values(due_at=now)
    tried_later = (
        update(outbox)
        .where(late, outbox.c.tried_at > now)
        .values(due_at=now + (outbox.c.due_at - outbox.c.tried_at), tried_at=now)
    )
    too_late = update(outbox).where(mine, outbox.c.due_at > now + MAX_DELAY_SECONDS)
    # The oldest one tells for how long deliveries have been behind.
    written_later = update(outbox).where(mine, outbox.c.created_at > now).values(created_at=now)
    for statement in (never_tried, tried_later, too_late.values(due_at=now), written_later):
        connection.execute(statement)
    _end_overlap(connection, endpoint, now)


def correct_deadlines(connection: Connection) -> None:
    """Correct the deadlines of open transactions that were registered in the future.

    A deadline is stored as a time. Where the registration lies in the future, the transaction
    keeps the time that it had to get into a block, counted from now.
    """
    now, created_at = time.time(), transactions.c.created_at
    later = {"deadline": transactions.c.deadline - (created_at - now), "created_at": now}
    connection.execute(update(transactions).where(OPEN, created_at > now).values(later))


def _end_overlap(connection: Connection, endpoint: str, now: float) -> None:
    """Let a secret before a rotation count for no longer than it can have been asked for."""
    latest = now + MAX_OVERLAP_SECONDS
    late = and_(endpoints.c.id == endpoint, endpoints.c.previous_until > latest)
    connection.execute(update(endpoints).where(late).values(previous_until=latest))
