"""The delivery status of each endpoint: pending and dead deliveries, last attempts."""

from dataclasses import dataclass, field

from sqlalchemy import Connection, func, literal_column, select

from transaction_tracker.domain.webhook_endpoint import WebhookEndpoint
from transaction_tracker.store import attempts
from transaction_tracker.store.attempts import LastAttempts
from transaction_tracker.store.chain import frozen_sources
from transaction_tracker.store.deliveries import Delivery
from transaction_tracker.store.endpoints import load
from transaction_tracker.store.schema.events import events
from transaction_tracker.store.schema.outbox import endpoints, outbox

# Literal as in the partial indexes: SQLite does not use them for a parameter of the same value.
_PENDING = outbox.c.state == literal_column("'pending'")
_DEAD = outbox.c.state == literal_column("'dead'")


@dataclass(frozen=True, slots=True)
class EndpointStatus:
    """The delivery status of one endpoint.

    Attributes:
        pending: Number of pending deliveries.
        dead: Number of dead letters.
        next_due: Unix seconds when the next pending delivery is due; ``None`` if none is scheduled.
        attempts: The newest attempts.
    """

    pending: int = 0
    dead: int = 0
    next_due: float | None = None
    attempts: LastAttempts = field(default_factory=LastAttempts)


def statuses(connection: Connection, endpoint: str | None = None) -> dict[str, EndpointStatus]:
    """Return the status of one endpoint or of all; endpoints without deliveries are left out.

    Args:
        connection: The database.
        endpoint: The endpoint's id. Default: all endpoints.
    """
    key = outbox.c.endpoint_id
    mine = [] if endpoint is None else [key == endpoint]
    # Both counts and the time come from partial indexes alone.
    waiting = select(key, func.count(), func.min(outbox.c.due_at)).where(_PENDING, *mine)
    given_up = select(key, func.count()).where(_DEAD, *mine)
    pending = {
        name: (count, due_at)
        for name, count, due_at in connection.execute(waiting.group_by(key)).tuples()
    }
    dead = dict(connection.execute(given_up.group_by(key)).tuples().all())
    newest = attempts.newest(connection, endpoint)
    found = {}
    for name in pending.keys() | dead.keys() | newest.keys():
        count, due_at = pending.get(name, (0, None))
        last = newest.get(name, LastAttempts())
        found[name] = EndpointStatus(count, dead.get(name, 0), due_at, last)
    return found


def oldest_pending(connection: Connection) -> float | None:
    """Return when the oldest pending delivery of an enabled endpoint was stored.

    Deliveries of a disabled endpoint, and those of a source whose deliveries are paused, wait for a
    decision of an operator, and are not counted.

    Returns:
        Unix seconds; ``None`` if there is none.
    """
    enabled = select(endpoints.c.id).where(endpoints.c.enabled)
    query = select(outbox.c.created_at).where(_PENDING, outbox.c.endpoint_id.in_(enabled))
    if frozen := frozen_sources(connection):
        theirs = events.c.source.not_in(list(frozen))
        query = query.join(events, events.c.position == outbox.c.position).where(theirs)
    found: float | None = connection.execute(query.order_by(outbox.c.created_at).limit(1)).scalar()
    return found


def receiver(connection: Connection, delivery: Delivery) -> WebhookEndpoint | None:
    """Return the endpoint as it is stored now; ``None`` if the delivery must not be sent now.

    For a worker whose attempt had to wait: meanwhile, the endpoint can have been changed, disabled
    or removed, and the delivery settled.
    """
    found = load(connection, delivery.endpoint)
    if found is None or not found.enabled or _is_frozen(connection, delivery):
        return None
    mine = outbox.c.endpoint_id == delivery.endpoint, outbox.c.position == delivery.position
    due_at = connection.execute(select(outbox.c.due_at).where(_PENDING, *mine)).scalar()
    return None if due_at is None else found


def _is_frozen(connection: Connection, delivery: Delivery) -> bool:
    frozen = frozen_sources(connection)
    source = delivery.entry.event.tracked.source
    return bool(frozen) if not source else source in frozen


def count_failing(connection: Connection) -> int:
    """Count the enabled endpoints at which every attempt in a row has failed."""
    failing = endpoints.c.enabled & endpoints.c.failing_since.is_not(None)
    count: int = connection.execute(
        select(func.count()).select_from(endpoints).where(failing)
    ).scalar_one()
    return count
