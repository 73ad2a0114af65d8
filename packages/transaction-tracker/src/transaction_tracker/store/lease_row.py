"""The row that names the program that owns a PostgreSQL database: statements on a connection.

The row holds the *epoch*, which each claim increases, and the time at which the *lease* of the
owner runs out. Whose turn it is, only the server's clock decides: no time of a program is stored.
The clock of this machine is only compared with it, because the deadlines of transactions need it.

Each statement of this module except ``fence`` must run outside a transaction (autocommit). A
claim that is refused then locks nothing: a standby that is frozen between a refused claim and its
commit would otherwise block the owner.
"""

import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from transaction_tracker.store.errors import UnavailableError
from transaction_tracker.store.postgresql import application_name

# fillfactor: a renewal then changes no index and leaves no dead rows in other pages.
# The unique index over the epoch makes a claim an update of a key, which waits for each
# transaction that has run `fence`. A renewal does not change the key, so it waits for none.
_TABLE = """
CREATE TABLE IF NOT EXISTS owner (
    id integer PRIMARY KEY CHECK (id = 1),
    epoch bigint NOT NULL,
    expires timestamptz NOT NULL,
    seconds double precision NOT NULL,
    holder text NOT NULL,
    address text,
    UNIQUE (id, epoch)
) WITH (fillfactor = 50)
"""
_ROW = "INSERT INTO owner VALUES (1, 0, '-infinity', 0, '') ON CONFLICT DO NOTHING"
# The second condition: the server's clock was set back, and the lease would last until it has
# caught up. By the length that the owner has stored: two programs can be configured differently.
_OVER = (
    "(expires < clock_timestamp()"
    " OR expires > clock_timestamp() + 2 * owner.seconds * interval '1 s')"
)
# A program takes over from itself at once: the fence stops its previous store.
_FREE = f"(holder = :holder OR {_OVER})"
# In one statement, and the clock is read after the wait for the lock. A plain UPDATE reads the
# clock before it waits, and could return with a lease that has run out already.
_CLAIM = text(f"""
WITH free AS MATERIALIZED (SELECT id FROM owner WHERE id = 1 AND {_FREE} FOR UPDATE)
UPDATE owner SET epoch = epoch + 1, holder = :holder, address = :address, seconds = :seconds,
    expires = clock_timestamp() + :seconds * interval '1 s'
FROM free WHERE owner.id = free.id RETURNING owner.epoch
""")  # noqa: S608 - only constants
_RENEW = text("""
UPDATE owner SET expires = clock_timestamp() + seconds * interval '1 s'
WHERE id = 1 AND epoch = :epoch
""")
_RELEASE = text("UPDATE owner SET expires = '-infinity' WHERE id = 1 AND epoch = :epoch")
_FENCE = text("SELECT 1 FROM owner WHERE id = 1 AND epoch = :epoch FOR KEY SHARE")
_END = text(f"""
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity, owner
WHERE application_name = '{application_name("")}' || holder AND pid <> pg_backend_pid()
    AND datname = current_database() AND {_FREE}
""")  # noqa: S608 - only constants
_TIME = "extract(epoch FROM clock_timestamp())::double precision"
_LOOK = text(f"""
SELECT pg_try_advisory_xact_lock_shared(:lock), {_TIME}, {_FREE}, address FROM owner WHERE id = 1
""")  # noqa: S608 - only constants
_LOOK_FIRST = text(f"SELECT pg_try_advisory_xact_lock_shared(:lock), {_TIME}")

_LOCK_NOT_AVAILABLE = "55P03"


@dataclass(frozen=True, slots=True)
class Owner:
    """What a standby sees of the owner.

    Attributes:
        is_gone: Whether the database can be claimed.
        address: URL of the owner; ``None`` if it has given none.
        clock_ahead: Seconds by which the clock of this machine is ahead of that of the server;
            negative if it is behind.
    """

    is_gone: bool
    address: str | None
    clock_ahead: float


def look(connection: Connection, holder: str, lock: int) -> Owner:
    """Return what is known of the owner; locks and changes nothing.

    Args:
        connection: The database.
        holder: Id of the program that looks.
        lock: Number of the lock of a program without a lease (`postgresql.owner_lock`).
    """
    if not _exists(connection):
        unlocked, now = connection.execute(_LOOK_FIRST, {"lock": lock}).one()
        return Owner(unlocked, None, time.time() - now)
    row = connection.execute(_LOOK, {"holder": holder, "lock": lock}).first()
    if row is None:  # the program that creates the table has not added the row yet
        return Owner(is_gone=False, address=None, clock_ahead=0.0)
    unlocked, now, is_free, address = row
    return Owner(unlocked and is_free, address, time.time() - now)


def claim(connection: Connection, holder: str, seconds: float, address: str | None) -> int | None:
    """Claim the database, and return the new epoch; ``None`` while another program owns it.

    A transaction of an owner whose lease has run out can hold up the claim: the owner was frozen
    in it. The server then ends the owner's connections and rolls the transaction back.

    Raises:
        UnavailableError: A transaction held up the claim and is being ended; claim again.
    """
    _create(connection)
    facts = {"holder": holder, "seconds": seconds, "address": address}
    try:
        epoch: int | None = connection.scalar(_CLAIM, facts)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        connection.execute(_END, {"holder": holder})
        raise UnavailableError("a transaction of its last owner had not ended") from None
    return epoch


def renew(connection: Connection, epoch: int) -> bool:
    """Renew the lease; return whether the epoch is still the newest.

    A lease that has run out, and that no other program has claimed, can be renewed.
    """
    return connection.execute(_RENEW, {"epoch": epoch}).rowcount > 0


def release(connection: Connection, epoch: int) -> None:
    """End the lease, so that a standby can claim the database at once."""
    connection.execute(_RELEASE, {"epoch": epoch})


def fence(connection: Connection, epoch: int) -> bool:
    """Return whether the epoch is the newest, and hold up claims until the transaction ends.

    Must be the first statement of each transaction of the owner.
    """
    # Not FOR SHARE: a renewal would wait for the transaction, and a long one would lose the lease.
    return connection.execute(_FENCE, {"epoch": epoch}).first() is not None


def _create(connection: Connection) -> None:
    # Checked first: with IF NOT EXISTS too, PostgreSQL demands the right to create tables.
    if not _exists(connection):
        try:
            connection.execute(text(_TABLE))
        except DBAPIError:
            # Two programs can create it at the same time, IF NOT EXISTS does not prevent that.
            if not _exists(connection):
                raise
    connection.execute(text(_ROW))


def _exists(connection: Connection) -> Any:
    return connection.scalar(text("SELECT to_regclass('owner') IS NOT NULL"))
