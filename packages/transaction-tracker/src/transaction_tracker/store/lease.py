"""The lease with which a program owns a PostgreSQL database while other programs stand by.

Each claim starts a new epoch. Two rules keep a program that has lost the database from acting, even
if it was frozen or cut off, and does not know it:

1. Its transactions check the epoch first (``fence``), so the database refuses them.
2. It sends nothing to others unless its lease is certain (``LeaseHolder.owned_for``): by its own
   clock, from the moment at which the last successful renewal *began*.
"""

import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from uuid import uuid4

from sqlalchemy import Connection

from transaction_tracker.store import lease_row, postgresql
from transaction_tracker.store.control_connection import ControlConnection
from transaction_tracker.store.errors import NotOwnerError, StoreError
from transaction_tracker.store.url import DatabaseUrl

# Share of the lease for which its holder can act without asking again. The rest covers clocks that
# run at different speeds, and what is under way when the time has passed.
_CERTAIN_SHARE = 0.9
# Renewals per lease. Each has the time until the next one, so two in a row can fail.
_RENEWALS = 3
_RETRY_SECONDS = 0.2
_RELEASE_SECONDS = 1.0


class LeaseHolder:
    """One program that can hold the lease of a database.

    Args:
        seconds: Duration of the lease.
        address: URL of the program, which standbys show to their clients.

    Attributes:
        id: Random id of the program.
        seconds: Duration of the lease.
        address: URL of the program, or ``None``.
        is_refused: Whether another program has the lease, or had it at the last claim.
        claims: Number of claims that this program has made.
        renewals: Number of renewals of all its leases.
        failed_renewals: Number of renewals that the server did not confirm.
    """

    def __init__(self, seconds: float, address: str | None = None) -> None:
        self.id: str = uuid4().hex
        self.seconds = seconds
        self.address = address
        self.is_refused: bool = False
        self.claims: int = 0
        self.renewals: int = 0
        self.failed_renewals: int = 0
        self._lease: Lease | None = None

    @property
    def epoch(self) -> int:
        """Number of its last claim among those of all programs; 0 before the first."""
        return 0 if self._lease is None else self._lease.epoch

    def owned_for(self) -> float:
        """Return for how many seconds no other program can own the database; 0 if one can now."""
        lease = self._lease
        return 0.0 if lease is None else lease.seconds_left()

    def claim(self, url: DatabaseUrl, on_lost: Callable[[], None]) -> "Lease":
        """Claim a database. Blocks.

        Args:
            url: URL of the database.
            on_lost: Called in a thread of the lease when another program has the database.

        Raises:
            NotOwnerError: Another program owns the database.
            StoreError: The server cannot be used.
        """
        lease = Lease(url, self, on_lost)
        try:
            lease.claim()
        except NotOwnerError:
            self.is_refused = True
            raise
        self.is_refused = False
        self.claims += 1
        self._lease = lease
        return lease

    def lost(self, lease: "Lease") -> None:
        """Record that a lease was lost; without effect if the program has claimed another since."""
        if self._lease is lease:
            self.is_refused = True


class Lease:
    """One claim of a database. It is renewed until it is released or lost, and never claimed again.

    A thread of its own renews it, so a busy event loop and a long transaction do not lose it. A C
    call that holds the GIL stops the thread: it must be shorter than two thirds of the lease.

    Args:
        url: URL of the database.
        holder: The program that claims it.
        on_lost: Called in the thread when another program has claimed the database.
    """

    def __init__(self, url: DatabaseUrl, holder: LeaseHolder, on_lost: Callable[[], None]) -> None:
        self._holder = holder
        self._on_lost = on_lost
        self._interval = holder.seconds / _RENEWALS
        self._control = ControlConnection(url, holder.id, self._interval)
        self._certain_until = -math.inf
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.epoch: int = 0

    def claim(self) -> None:
        """Claim the database, and start to renew the lease; see `LeaseHolder.claim`."""
        began = _now()
        holder = self._holder
        try:
            epoch = self._control.run(lease_row.claim, holder.id, holder.seconds, holder.address)
        except BaseException:
            self._control.close()
            raise
        if epoch is None:
            self._control.close()
            raise NotOwnerError("it is in use by another program")
        self.epoch = epoch
        self._renewed(began)
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._thread.start()

    def seconds_left(self) -> float:
        """Return for how many seconds the lease is certain; 0 if it can be over."""
        return 0.0 if self._ended.is_set() else max(0.0, self._certain_until - _now())

    def fence(self, connection: Connection) -> None:
        """Check the epoch, and hold up claims of other programs until the commit.

        Args:
            connection: Inside a transaction, before its first statement.

        Raises:
            NotOwnerError: Another program has claimed the database.
        """
        if not lease_row.fence(connection, self.epoch):
            self._lose()
            raise NotOwnerError("another program has taken it over")

    def release(self) -> None:
        """Release the lease, so that a standby takes over at once; otherwise it runs out.

        Call it after the store's connection is closed: nothing of it can be under way then.
        """
        self._ended.set()
        if self._thread is not None:
            self._thread.join(_RELEASE_SECONDS)

    def _keep(self) -> None:
        pause = self._interval
        while not self._ended.wait(pause):
            pause = self._interval
            began = _now()
            try:
                is_ours = self._control.run(lease_row.renew, self.epoch)
            except StoreError:
                self._holder.failed_renewals += 1
                pause = _RETRY_SECONDS
                continue
            if not is_ours:
                self._lose()
                self._on_lost()
                break
            self._holder.renewals += 1
            self._renewed(began)
        with suppress(StoreError):
            # Without effect after a loss: the epoch is another one.
            self._control.run(lease_row.release, self.epoch)
        self._control.close()

    def _renewed(self, began: float) -> None:
        self._certain_until = began + _CERTAIN_SHARE * self._holder.seconds

    def _lose(self) -> None:
        self._ended.set()
        self._holder.lost(self)


class LeaseWatch:
    """The look of a standby at the lease, by one connection. All methods block.

    Args:
        url: URL of the database.
        holder: The program that stands by.
    """

    def __init__(self, url: DatabaseUrl, holder: LeaseHolder) -> None:
        self._holder = holder
        self._lock = postgresql.owner_lock(url.shard)
        self._control = ControlConnection(url, holder.id, holder.seconds / _RENEWALS)

    def look(self) -> lease_row.Owner:
        """Return what is known of the owner.

        Raises:
            UnavailableError: The server cannot be used now.
            StoreError: The server refuses the connection.
        """
        return self._control.run(lease_row.look, self._holder.id, self._lock)

    def close(self) -> None:
        """Close the connection; the next look opens one."""
        self._control.close()


def _now() -> float:
    """Return the seconds of a clock that also counts while the machine is suspended."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()
