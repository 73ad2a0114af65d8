"""The tables of alerts about the service, and of the notices of them that wait for delivery."""

from sqlalchemy import Column, Float, Index, Integer, String, Table, Text

from transaction_tracker.store.schema.base import metadata

alerts: Table = Table(
    "alerts",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("kind", String(40), nullable=False),
    Column("subject", String(300), nullable=False),
    Column("severity", String(10), nullable=False),
    Column("text", Text, nullable=False),
    Column("since", Float, nullable=False),
    Column("raised_at", Float, nullable=False),
    Column("version", Integer, nullable=False),
    # NULL while the alert is active.
    Column("cleared_at", Float),
)
Index("alerts_cleared", alerts.c.cleared_at)

# One row per notice and endpoint, deleted once it is delivered. Few rows at any time.
alert_notices: Table = Table(
    "alert_notices",
    metadata,
    Column("endpoint_id", String(40), primary_key=True),
    Column("alert_id", String(40), primary_key=True),
    Column("version", Integer, primary_key=True),
    # The message as it is sent at each attempt.
    Column("body", Text, nullable=False),
    Column("created_at", Float, nullable=False),
)
