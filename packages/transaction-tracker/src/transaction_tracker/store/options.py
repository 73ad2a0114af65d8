"""Options of the database, and of the removal of old transactions."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import PlainValidator

from transaction_tracker.domain.duration import SECONDS
from transaction_tracker.domain.sharding import MAX_SHARDS, Shard, ShardMap
from transaction_tracker.options import Section, option
from transaction_tracker.options.values import Numbers, Seconds, printed
from transaction_tracker.store.errors import DatabaseUrlError
from transaction_tracker.store.url import DatabaseUrl

DEFAULT_LEASE_SECONDS = 10.0
# A shorter lease would be lost by a full garbage collection or a slow disk.
MIN_LEASE_SECONDS = 3.0
MAX_LEASE_SECONDS = 300.0


def _database(value: Any) -> DatabaseUrl:
    if not isinstance(value, str | Path | DatabaseUrl):
        raise ValueError("not a text")
    try:
        return DatabaseUrl.of(value)
    except DatabaseUrlError as error:
        raise ValueError(str(error)) from None


Database = Annotated[DatabaseUrl, PlainValidator(_database), printed]
AnyDatabase = Annotated[str | Path | DatabaseUrl, PlainValidator(_database), printed]


def database() -> Any:
    """Declare the option for the database."""
    return option(
        DatabaseUrl.of("transactions.db"),
        "a file name, :memory:, sqlite:///file or postgresql://user:password@host/name",
        "The database. A missing file is created. The password is never printed.",
        secret=True,
    )


def retention() -> Any:
    """Declare the option for the time after which a transaction is removed."""
    return option(
        None,
        f"1h or more: {SECONDS}",
        "Time after which an ended transaction is removed with its events. Default: never.",
        ge=3600,
        le=3_153_600_000,
    )


class DatabaseSection(Section):
    """The database of transactions, events and blocks."""

    url: Database = database()
    lease: Seconds = option(
        DEFAULT_LEASE_SECONDS,
        f"{MIN_LEASE_SECONDS:g}s to {MAX_LEASE_SECONDS / 60:g}m: {SECONDS}",
        "With --standby: time after which another program takes over from one that has failed.",
        ge=MIN_LEASE_SECONDS,
        le=MAX_LEASE_SECONDS,
    )


def former_counts() -> Any:
    """Declare the option for the numbers of shards before the service grew."""
    return option(
        (),
        "a list of numbers, the newest first, such as [4]",
        "Numbers of shards before the service grew. Transactions of that time stay where they are.",
    )


class ShardSection(Section):
    """The shard that the service is, if transactions are spread over several services."""

    number: int | None = option(
        None,
        f"a number, 0 to {MAX_SHARDS - 1}",
        "Number of this shard. Default: the service has no shards.",
        ge=0,
        lt=MAX_SHARDS,
    )
    count: int | None = option(
        None,
        f"a number, 1 to {MAX_SHARDS}",
        "Number of all shards. The database stores it, and refuses another one.",
        ge=1,
        le=MAX_SHARDS,
    )
    former_counts: Numbers = former_counts()

    @property
    def all(self) -> tuple[Shard, ...]:
        """All shards of the service; none if it is not sharded."""
        if self.count is None:
            return ()
        counts = ShardMap((self.count, *self.former_counts))
        return tuple(Shard(number, counts) for number in range(self.count))

    def conflicts(self, table: str = "") -> Iterator[tuple[str, str]]:
        """Yield a number without a count, and numbers that do not fit each other."""
        if self.count is None:
            for name in ("number", "former_counts"):
                if getattr(self, name) not in (None, ()):
                    yield name, f"requires {table}count, the number of all shards"
            return
        if self.number is not None and self.number >= self.count:
            yield "number", f"must be lower than {table}count = {self.count}, got {self.number}"
        try:
            ShardMap((self.count, *self.former_counts))
        except ValueError as error:
            yield "former_counts", f"does not fit {table}count = {self.count}: {error}"


class RetentionSection(Section):
    """How long transactions are kept after their end."""

    ended: Seconds | None = retention()
