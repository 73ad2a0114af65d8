"""The schema of a shard, and the row in it that names the shard: it is never started as another.

The assignment of transactions to shards depends on the number of shards. So a shard that started
with another number would not find transactions that it tracks, and track others twice.
"""

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from transaction_tracker.domain.sharding import Shard, ShardMap
from transaction_tracker.store import postgresql
from transaction_tracker.store.errors import StoreError
from transaction_tracker.store.url import DatabaseUrl

# Not among the tables of the migrations: only the schema of a shard has it.
_TABLE = """
CREATE TABLE shard (
    id integer PRIMARY KEY CHECK (id = 1),
    number integer NOT NULL,
    counts text NOT NULL
)
"""
_LOAD = text("SELECT number, counts FROM shard WHERE id = 1")
_SAVE = text("""
INSERT INTO shard VALUES (1, :number, :counts)
ON CONFLICT (id) DO UPDATE SET counts = EXCLUDED.counts
""")
# Lists of several shards are merged in the order of code points.
_ORDERED = text("SELECT 'B' < 'a' AND 'ab' < 'a~'")


def create_schema(url: DatabaseUrl, shard: Shard) -> None:
    """Create the schema of a shard, unless it exists. Blocks.

    Raises:
        UnavailableError: The server does not answer.
        StoreError: The server refuses the connection, or the schema.
    """
    schema = shard.schema
    try:
        with (
            postgresql.visit(url.reveal(), postgresql.MAX_OPEN_SECONDS) as engine,
            engine.begin() as connection,
        ):
            # Checked first: with IF NOT EXISTS too, PostgreSQL demands the right to create schemas.
            query = text("SELECT 1 FROM pg_namespace WHERE nspname = :schema")
            if connection.scalar(query, {"schema": schema}) is None:
                connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {schema}"))
    except DBAPIError as error:
        why = url.describe(error)
        raise postgresql.cannot_connect(why)(why) from None  # not chained: see DatabaseFailedError


def bind(connection: Connection, shard: Shard | None) -> None:
    """Store which shard uses the schema, or check that it is the same as before.

    Args:
        connection: Inside a transaction.
        shard: The shard; ``None`` for a service without shards.

    Raises:
        StoreError: The schema belongs to another shard, or to a service without shards or with
            another number of them; or the database cannot be sharded.
    """
    found = load(connection)
    if found == shard:
        return
    if shard is None:
        raise StoreError(f"its schema is that of shard {found}; set shard.number and shard.count")
    if found is None:
        _check_new(connection)
        connection.execute(text(_TABLE))
    elif found.number != shard.number:
        raise StoreError(
            f"the schema {shard.schema} is that of shard {found.number}, not {shard.number}"
        )
    elif not _has_grown(found.map, shard.map):
        raise StoreError(_changed(found.map, shard.map))
    connection.execute(_SAVE, {"number": shard.number, "counts": str(shard.map)})


def load(connection: Connection) -> Shard | None:
    """Return the shard that uses the schema; ``None`` for a service without shards."""
    if not connection.scalar(text("SELECT to_regclass('shard') IS NOT NULL")):
        return None
    number, counts = connection.execute(_LOAD).one()
    return Shard(number, ShardMap.parse(counts))


def _check_new(connection: Connection) -> None:
    if not connection.scalar(_ORDERED):
        raise StoreError(
            "shards need a database that compares text by code points: create it with "
            "CREATE DATABASE … LOCALE 'C' ENCODING 'UTF8' TEMPLATE template0"
        )
    if connection.scalar(text("SELECT to_regclass('transactions') IS NOT NULL")):
        raise StoreError(
            "its schema has the tables of a service without shards; use another database"
        )


def _has_grown(before: ShardMap, now: ShardMap) -> bool:
    return now.fits(before) and len(now.counts) > len(before.counts)


def _changed(before: ShardMap, now: ShardMap) -> str:
    former = [*before.counts]
    way = (
        f"; to grow, set shard.former_counts = {former}"
        if now.count > before.count
        else "; the number of shards cannot be reduced"
        if now.count < before.count
        else f"; set shard.former_counts = {former[1:]}"
    )
    return f"the service has {_described(before)}, got {_described(now)}{way}"


def _described(counts: ShardMap) -> str:
    former = "" if len(counts.counts) == 1 else f" (formerly {counts.counts[1:]})"
    return f"{counts.count} shards{former}"
