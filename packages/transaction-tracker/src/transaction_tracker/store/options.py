"""Options of the database, and of the removal of old transactions."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import PlainValidator

from transaction_tracker.domain.duration import SECONDS
from transaction_tracker.options import Section, option
from transaction_tracker.options.values import Seconds, printed
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


class RetentionSection(Section):
    """How long transactions are kept after their end."""

    ended: Seconds | None = retention()
