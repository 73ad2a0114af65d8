"""``python -m beamish cluster status``: the shards of a cluster, as its store knows them."""

import asyncio
import sys

from beamish.cluster._store.protocol import ShardRow, Store
from beamish.cluster.cluster import check_name, open_store
from beamish.cluster.errors import StoreUnavailableError
from beamish.shell.table import aligned

_HEADER = ("SHARD", "EPOCH", "LEASE", "RUNNING", "GIVEN UP", "HOST", "NODE")


def status(name: str, dsn: str) -> int:
    """Print the shards of a cluster.

    Needs only the store, so that it also answers when Ray does not.

    Args:
        name: The name of the cluster.
        dsn: The connection string of its store.

    Returns:
        The exit status: 0 if every shard has an owner whose lease lasts, 2 if an argument is
        wrong, otherwise 1.
    """
    try:
        check_name(name)
        store = open_store(name, dsn)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    try:
        rows = asyncio.run(_shards(store))
    except StoreUnavailableError as error:
        print(f"error: the store does not answer: {error.cause}", file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if not rows:
        print(f"error: the database has no cluster {name!r} that ever ran", file=sys.stderr)
        return 1
    print(aligned([_HEADER, *(_shown(row) for row in rows)]))
    return 0 if all(row.lease_left > 0 for row in rows) else 1


async def _shards(store: Store) -> list[ShardRow]:
    try:
        return await store.shards()
    finally:
        await store.close()


def _shown(row: ShardRow) -> tuple[str, ...]:
    lease = f"{row.lease_left:.1f} s" if row.lease_left > 0 else "over"
    counts = str(row.running), str(row.given_up)
    return str(row.shard), str(row.epoch), lease, *counts, row.host, row.node
