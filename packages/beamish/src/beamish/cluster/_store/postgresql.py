"""`PostgresStore`: the store of a cluster in PostgreSQL.

Renewals have a connection of their own, so that no other statement delays them.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from beamish.cluster._store import schema
from beamish.cluster._store.connection import StoreConnection
from beamish.cluster._store.protocol import Child, Claim, Declaration, Name, ShardRow
from beamish.cluster.nodes import slot_of

_BLOCKED_SECONDS = 0.5
_LOCK = 6_022_140_857  # any number: of the advisory lock while tables are created


class PostgresStore:
    """The tables of one cluster.

    Args:
        cluster: The name of the cluster.
        dsn: A connection string of PostgreSQL.

    Raises:
        ValueError: ``dsn`` is not a connection string.
    """

    def __init__(self, cluster: str, dsn: str) -> None:
        _check_dsn(dsn)
        self._cluster = cluster
        self._renewals = StoreConnection(dsn, f"beamish {cluster} lease")
        self._changes = StoreConnection(dsn, f"beamish {cluster}")

    def _with(self, **parameters: Any) -> dict[str, Any]:
        return {"cluster": self._cluster, **parameters}

    async def prepare(self, shards: int) -> None:
        """Create what is missing, and set the number of shards."""
        run = self._changes.run
        # The lock: two programs that create the same table at once get an error.
        await run(f"select pg_advisory_xact_lock({_LOCK}); {schema.TABLES}", {})
        version = schema.VERSION
        joined = await run(schema.JOIN, self._with(shards=shards, version=version))
        if not joined:
            found = await run(schema.SHARDS_OF, self._with())
            raise ValueError(
                f"the cluster {self._cluster!r} runs with {found[0][0]} shards; "
                f"got shards={shards}: stop its hosts first"
            )
        if joined[0][0] != version:
            raise ValueError(
                f"the tables of the cluster {self._cluster!r} have the version {joined[0][0]}; "
                f"this program needs {version}"
            )

    async def declare(self, kind: str, name: str, options: bytes) -> None:
        """Store a registry or supervisor."""
        await self._changes.run(schema.DECLARE, self._with(kind=kind, name=name, options=options))

    async def declarations(self) -> list[Declaration]:
        """Return the registries, then the supervisors."""
        rows = await self._changes.run(schema.DECLARATIONS, self._with())
        return [Declaration(*row) for row in rows]

    # -- Leases

    async def claim(self, shard: int, lease: float, host: str, node: str) -> Claim:
        """Take a shard over."""
        parameters = self._with(shard=shard, lease=lease, host=host, node=node)
        await self._renewals.run(schema.FIRST_CLAIM, parameters)
        claim = asyncio.ensure_future(self._renewals.run(schema.CLAIM, parameters))
        try:
            while not (await asyncio.wait([claim], timeout=_BLOCKED_SECONDS))[0]:
                await self._changes.run(
                    schema.END_BLOCKERS, self._with(shard=shard, backend=self._renewals.backend)
                )
        finally:
            claim.cancel()
        (row,) = claim.result()
        return Claim(row[0], max(0.0, row[1]))

    async def renew(self, shard: int, epoch: int, lease: float) -> bool:
        """Extend a lease."""
        parameters = self._with(shard=shard, epoch=epoch, lease=lease)
        return bool(await self._renewals.run(schema.RENEW, parameters, lease))

    async def release(self, shard: int, epoch: int) -> None:
        """End a lease."""
        await self._renewals.run(schema.RELEASE, self._with(shard=shard, epoch=epoch))

    # -- Children

    async def add(self, shard: int, epoch: int, children: Sequence[Child]) -> set[Name] | None:
        """Store children."""
        names = self._names(shard, epoch, [child.name for child in children])
        names["supervisors"] = [child.supervisor for child in children]
        names["specs"] = [child.spec for child in children]
        return await self._changed(schema.ADD, names)

    async def drop(self, shard: int, epoch: int, names: Sequence[Name]) -> set[Name] | None:
        """Delete children."""
        return await self._changed(schema.DROP, self._names(shard, epoch, names))

    async def give_up(self, shard: int, epoch: int, reasons: Mapping[Name, str]) -> bool:
        """Mark children as given up."""
        names = self._names(shard, epoch, list(reasons))
        # PostgreSQL has no NUL in text.
        names["reasons"] = [why.replace("\0", "") for why in reasons.values()]
        ((newest, _),) = await self._changes.run(schema.GIVE_UP, names)
        return bool(newest)

    # -- States that children hand over

    async def hand_over(self, shard: int, epoch: int, states: Mapping[Name, bytes]) -> bool:
        """Store the states of children."""
        names = self._names(shard, epoch, list(states))
        names["states"] = list(states.values())
        ((newest, _),) = await self._changes.run(schema.HAND_OVER, names)
        return bool(newest)

    async def take_states(
        self, shard: int, epoch: int, names: Sequence[Name]
    ) -> dict[Name, bytes] | None:
        """Take the states that no other epoch has taken."""
        rows = await self._changes.run(schema.TAKE_STATES, self._names(shard, epoch, names))
        if not rows[0][0]:
            return None
        return {Name(row[1], row[2]): row[3] for row in rows if row[1] is not None}

    async def forget_states(self, shard: int, epoch: int, slots: range) -> bool:
        """Delete the states that were taken."""
        parameters = self._with(shard=shard, epoch=epoch, first=slots.start, end=slots.stop)
        ((newest, _),) = await self._changes.run(schema.FORGET_STATES, parameters)
        return bool(newest)

    def _names(self, shard: int, epoch: int, names: Sequence[Name]) -> dict[str, Any]:
        return self._with(
            shard=shard,
            epoch=epoch,
            slots=[slot_of(name.key) for name in names],
            registries=[name.registry for name in names],
            keys=[name.key for name in names],
        )

    async def _changed(self, sql: str, parameters: dict[str, Any]) -> set[Name] | None:
        ((newest, found),) = await self._changes.run(sql, parameters)
        return {Name(*name) for name in found} if newest else None

    async def children(self, slots: range) -> list[Child]:
        """Return the children of these slots that must run."""
        rows = await self._changes.run(
            schema.CHILDREN, self._with(first=slots.start, end=slots.stop)
        )
        return [Child(Name(registry, key), *rest) for registry, key, *rest in rows]

    async def shards(self) -> list[ShardRow]:
        """Return the owners of all shards that ever had one.

        Raises:
            ValueError: The database has no cluster, or its tables cannot be read.
        """
        try:
            rows = await self._changes.run(schema.STATUS, self._with())
        except psycopg.errors.UndefinedTable:
            raise ValueError("the database has no tables of a beamish cluster") from None
        except psycopg.Error as error:  # such as a user who has no right to read them
            raise ValueError(str(error).partition("\n")[0]) from None
        return [ShardRow(*row) for row in rows]

    async def close(self) -> None:
        """Close the connections."""
        await self._renewals.close()
        await self._changes.close()


def _check_dsn(dsn: str) -> None:
    try:
        conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        # Without the parser's own message, which repeats the text, and with it the password.
        scheme, separator, _ = dsn.partition("://")
        known = not separator or scheme in ("postgresql", "postgres")
        got = "one that PostgreSQL cannot parse" if known else f"one that begins with {scheme!r}"
        raise ValueError(
            "the store of a cluster must be a connection string of PostgreSQL, such as "
            "'postgresql://user@host:5432/database' or 'host=... dbname=...'; got "
            f"{got}. In a URL, write a % in a password as %25"
        ) from None
