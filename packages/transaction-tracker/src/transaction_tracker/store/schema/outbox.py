"""The tables of delivery: endpoints, deliveries, attempts, and consumers of events."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    text,
)

from transaction_tracker.store.schema.base import metadata, one_of

DELIVERY_STATES = ("pending", "delivered", "dead")

endpoints: Table = Table(
    "endpoints",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("url", Text, nullable=False),
    # The states whose events it receives, as a JSON list; NULL for all.
    Column("states", Text),
    # The kinds of alerts that it receives, as a JSON list.
    Column("alerts", Text, nullable=False, server_default="[]"),
    Column("secret", String(120), nullable=False),
    # The secret before the last rotation, and until when it is valid.
    Column("previous_secret", String(120)),
    Column("previous_until", Float),
    Column("enabled", Boolean, nullable=False),
    Column("disabled_reason", Text),
    # Since when every attempt in a row has failed; NULL while attempts succeed.
    Column("failing_since", Float),
    Column("created_at", Float, nullable=False),
)

outbox: Table = Table(
    "outbox",
    metadata,
    Column("endpoint_id", String(40), ForeignKey("endpoints.id"), primary_key=True),
    # Position of the event.
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("transaction_id", String(200), nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", String(20), nullable=False),
    Column("attempts", Integer, nullable=False),
    # NULL while an earlier event of the transaction is pending at the endpoint, so that queries
    # for due deliveries do not scan waiting ones.
    Column("due_at", Float),
    # When the last attempt ended. A time in the future shows that the clock was ahead then.
    Column("tried_at", Float),
    Column("status", Integer),
    Column("error", Text),
    Column("created_at", Float, nullable=False),
    Column("settled_at", Float),
    one_of("state", DELIVERY_STATES),
)

# Most rows are delivered and never change; each index holds only the rows of one query.
_PENDING = text("state = 'pending'")
_DEAD = text("state = 'dead'")
_DELIVERED = text("state = 'delivered'")
Index(
    "outbox_due",
    outbox.c.endpoint_id,
    outbox.c.due_at,
    outbox.c.position,
    sqlite_where=_PENDING,
    postgresql_where=_PENDING,
)
Index(
    "outbox_in_order",
    outbox.c.endpoint_id,
    outbox.c.transaction_id,
    outbox.c.position,
    sqlite_where=_PENDING,
    postgresql_where=_PENDING,
)
Index("outbox_age", outbox.c.created_at, sqlite_where=_PENDING, postgresql_where=_PENDING)
Index(
    "outbox_dead",
    outbox.c.endpoint_id,
    outbox.c.position,
    sqlite_where=_DEAD,
    postgresql_where=_DEAD,
)
Index(
    "outbox_delivered",
    outbox.c.settled_at,
    sqlite_where=_DELIVERED,
    postgresql_where=_DELIVERED,
)

# The last attempts, with a limit for each delivery and for each endpoint.
attempts: Table = Table(
    "attempts",
    metadata,
    # From 1 up, in the order of writing.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("endpoint_id", String(40), nullable=False),
    # Position of the event.
    Column("position", BigInteger, nullable=False),
    # The delivery's first attempt is 1; a redelivery counts from 1 again.
    Column("number", Integer, nullable=False),
    Column("ended_at", Float, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("status", Integer),
    Column("error", Text),
    # The first part of the response body.
    Column("answer", Text),
)
Index("attempts_of_deliveries", attempts.c.endpoint_id, attempts.c.position, attempts.c.id)
Index("attempts_of_endpoints", attempts.c.endpoint_id, attempts.c.id)

consumers: Table = Table(
    "consumers",
    metadata,
    Column("name", String(100), primary_key=True),
    Column("position", BigInteger, nullable=False),
)
