"""Accepting connections: only so many in all and from one address, whatever comes."""

import asyncio
import logging
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from transaction_tracker.api.descriptors import room_for_clients
from transaction_tracker.api.options import WebOptions

logger = logging.getLogger("transaction_tracker.api")

# The owner of an IPv6 connection usually has a whole network of this size.
_IPV6_PREFIX = 64
# Connections accepted before other work has its turn.
_BURST = 32
_PAUSE_SECONDS = 1.0
_LOG_SECONDS = 60.0

Networks = Sequence[IPv4Network | IPv6Network]


@dataclass(slots=True)
class Throttle:
    """Counts what happens, and says at most once a minute that it is time to log it."""

    _count: int = 0
    _logged_at: float | None = None

    def count(self, now: float) -> int | None:
        """Count one more; return how many there were since the last line if one is due."""
        self._count += 1
        if self._logged_at is not None and now - self._logged_at < _LOG_SECONDS:
            return None
        self._logged_at, count, self._count = now, self._count, 0
        return count


@dataclass(slots=True)
class Admission:
    """How many connections there are, and whether one more is admitted.

    Attributes:
        max_total: Connections at once.
        max_per_address: Connections at once from one IPv4 address or IPv6 network of 64 bits.
        trusted: Networks of proxies, whose connections are those of many clients: only
            ``max_total`` holds for them.
    """

    max_total: int
    max_per_address: int
    trusted: Networks = ()
    total: int = 0
    _by_address: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, options: WebOptions) -> "Admission":
        """Return the configured limits, or lower ones if there are too few file descriptors."""
        total, per_address = options.max_connections, options.max_connections_per_address
        room = room_for_clients()
        if room is not None and room < total:
            per_address = max(1, per_address * room // total)
            logger.warning(
                "web.max_connections is %d, and the limit of open files leaves %d connections "
                "in all and %d from one address; raise the limit (LimitNOFILE, ulimit -n)",
                *(total, room, per_address),
            )
            total = room
        trusted = [ip_network(network, strict=False) for network in options.trusted_proxies]
        return cls(total, per_address, trusted)

    def admit(self, host: str) -> str | None:
        """Count a connection and return ``None``; or return why there is no room for it."""
        if self.total >= self.max_total:
            return f"{self.max_total:,} connections are open"
        key = self._key(host)
        if key is not None:
            if self._by_address[key] >= self.max_per_address:
                return f"{self.max_per_address:,} connections are open from {key}"
            self._by_address[key] += 1
        self.total += 1
        return None

    def release(self, host: str) -> None:
        """Count a connection no longer."""
        self.total -= 1
        key = self._key(host)
        if key is not None:
            self._by_address[key] -= 1
            if not self._by_address[key]:
                del self._by_address[key]

    def _key(self, host: str) -> str | None:
        address = ip_address(host.partition("%")[0])
        if isinstance(address, IPv6Address):
            address = address.ipv4_mapped or address
        if any(address in network for network in self.trusted):
            return None
        if isinstance(address, IPv6Address):
            return str(IPv6Network((int(address), _IPV6_PREFIX), strict=False))
        return str(address)


class Acceptor:
    """Accepts the connections of one listening socket.

    Differs from asyncio's servers: it counts a connection before anything is made for it, and
    without descriptors it waits a moment and logs once a minute; asyncio logs thousands of lines
    a second then.

    Args:
        sock: The listening socket; closed with this.
        admission: Which connections are admitted.
        make: Makes the protocol of a connection. It is called with what must be called when the
            connection is over.
    """

    def __init__(
        self,
        sock: socket.socket,
        admission: Admission,
        make: Callable[[Callable[[], None]], asyncio.Protocol],
    ) -> None:
        self._sock = sock
        self._admission = admission
        self._make = make
        self._refused = Throttle()
        self._failed = Throttle()
        self._opening: set[asyncio.Task[None]] = set()
        self._task = asyncio.get_running_loop().create_task(self._accept())

    def check(self) -> None:
        """Raise the error that has ended the accepting, if one has."""
        if self._task.done():
            self._task.result()

    def close(self) -> None:
        """Accept no more."""
        if self._sock.fileno() >= 0:
            # A connection that has just come has scheduled asyncio's accept, which would fail
            # loudly on a closed socket.
            with suppress(NotImplementedError):  # Windows
                asyncio.get_running_loop().remove_reader(self._sock.fileno())
        self._task.cancel()
        for task in self._opening:
            task.cancel()
        self._sock.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        accepted = 0
        while True:
            try:
                connection, peer = await loop.sock_accept(self._sock)
            except ConnectionAbortedError:
                continue  # its client has gone already
            except OSError as error:
                self._report(error)
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            self._admit(connection, str(peer[0]))
            accepted += 1
            if accepted % _BURST == 0:
                # While connections wait, the accept above does not give up the event loop.
                await asyncio.sleep(0)

    def _admit(self, connection: socket.socket, host: str) -> None:
        full = self._admission.admit(host)
        if full is not None:
            connection.close()
            count = self._refused.count(time.monotonic())
            if count is not None:
                logger.warning("connection refused: %s", full, extra={"refused": count})
            return
        task = asyncio.get_running_loop().create_task(self._open(connection, host))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self, connection: socket.socket, host: str) -> None:
        released = False

        def release() -> None:
            nonlocal released
            if not released:
                released = True
                self._admission.release(host)

        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(lambda: self._make(release), connection)
        except OSError:  # the client has gone meanwhile
            connection.close()
            release()
        except BaseException:
            connection.close()
            release()
            raise

    def _report(self, error: OSError) -> None:
        count = self._failed.count(time.monotonic())
        if count is not None:
            says = "cannot accept connections: %s; trying again every second"
            logger.error(says, error.strerror, extra={"failures": count})
