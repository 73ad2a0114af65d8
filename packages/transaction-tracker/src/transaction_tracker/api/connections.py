"""Accept connections, with limits in total and per address."""

import asyncio
import logging
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from transaction_tracker.api.addresses import client_address, counted_as
from transaction_tracker.api.descriptors import max_client_descriptors
from transaction_tracker.api.options import WebOptions

logger: logging.Logger = logging.getLogger("transaction_tracker.api")

# Connections that are accepted before the event loop does other work.
_BURST = 32
_PAUSE_SECONDS = 1.0
_LOG_INTERVAL_SECONDS = 60.0

Networks = Sequence[IPv4Network | IPv6Network]


@dataclass(slots=True)
class LogLimiter:
    """A counter of occurrences that are logged at most once a minute."""

    _count: int = 0
    _logged_at: float | None = None

    def count(self, now: float) -> int | None:
        """Count an occurrence; return the number since the last log line if a line is due."""
        self._count += 1
        if self._logged_at is not None and now - self._logged_at < _LOG_INTERVAL_SECONDS:
            return None
        self._logged_at, count, self._count = now, self._count, 0
        return count


@dataclass(slots=True)
class Admission:
    """Counts of open connections, and limits on them.

    Attributes:
        max_total: Maximum number of connections.
        max_per_address: Maximum number of connections from one IPv4 address or IPv6 /64 network.
        trusted: Networks of proxies, which connect for many clients: only ``max_total`` applies to
            them.
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
        available = max_client_descriptors()
        if available is not None and available < total:
            per_address = max(1, per_address * available // total)
            logger.warning(
                "web.max_connections is %d, and the limit of open files leaves %d connections "
                "in all and %d from one address; raise the limit (LimitNOFILE, ulimit -n)",
                *(total, available, per_address),
            )
            total = available
        trusted = [ip_network(network, strict=False) for network in options.trusted_proxies]
        return cls(total, per_address, trusted)

    def admit(self, host: str) -> str | None:
        """Count a connection and return ``None``, or return why it is refused."""
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
        """Remove a connection from the counts."""
        self.total -= 1
        key = self._key(host)
        if key is not None:
            self._by_address[key] -= 1
            if not self._by_address[key]:
                del self._by_address[key]

    def _key(self, host: str) -> str | None:
        address = client_address(host)
        if any(address in network for network in self.trusted):
            return None
        return counted_as(address)


class Acceptor:
    """Accept the connections of one listening socket.

    Differs from asyncio's servers: a connection is counted before a transport is created for it.
    Without free file descriptors, it waits a second and logs once a minute; asyncio would log
    thousands of lines a second.

    Args:
        sock: Listening socket; ``close`` closes it.
        admission: Limits on connections.
        make: Function that returns the protocol of a connection. Its argument is a function that
            the protocol must call when the connection is closed.
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
        self._refused = LogLimiter()
        self._failed = LogLimiter()
        self._opening: set[asyncio.Task[Any]] = set()
        self._closed = False
        self._task = asyncio.get_running_loop().create_task(self._accept())

    def check(self) -> None:
        """Raise the error that stopped the accepting of connections, if there is one."""
        if self._task.done():
            self._task.result()

    def close(self) -> None:
        """Stop accepting connections and close the socket."""
        if self._sock.fileno() >= 0:
            # A connection that has just arrived has scheduled asyncio's accept, which would log an
            # error on a closed socket.
            with suppress(NotImplementedError):  # Windows
                asyncio.get_running_loop().remove_reader(self._sock.fileno())
        self._closed = True
        # Not at once: an accepted connection that the task has not received yet would be lost.
        # The task receives it before this callback runs.
        asyncio.get_running_loop().call_soon(self._task.cancel)
        for task in self._opening:
            task.cancel()
        self._sock.close()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        accepted = 0
        while not self._closed:
            try:
                connection, peer = await loop.sock_accept(self._sock)
            except ConnectionAbortedError:
                continue  # the client has already disconnected
            except OSError as error:
                self._report(error)
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            if self._closed:
                connection.close()
                return
            self._admit(connection, str(peer[0]))
            accepted += 1
            if accepted % _BURST == 0:
                # While connections are queued, the accept above does not yield to the event loop.
                await asyncio.sleep(0)

    def _admit(self, connection: socket.socket, host: str) -> None:
        full = self._admission.admit(host)
        if full is not None:
            connection.close()
            count = self._refused.count(time.monotonic())
            if count is not None:
                logger.warning("connection refused: %s", full, extra={"refused": count})
            return
        release = _once(partial(self._admission.release, host))
        loop = asyncio.get_running_loop()
        opening = loop.connect_accepted_socket(partial(self._make, release), connection)
        task = loop.create_task(opening)
        self._opening.add(task)
        task.add_done_callback(partial(self._opened, connection, release))

    def _opened(
        self, connection: socket.socket, release: Callable[[], None], task: asyncio.Task[Any]
    ) -> None:
        """Close a connection that could not be opened.

        In a callback of the task: a task that is cancelled before its first step runs no code.
        """
        self._opening.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is None and not task.cancelled():
            return
        connection.close()
        release()
        if error is not None and not isinstance(error, OSError):  # the client has disconnected
            context = {"message": "could not open a connection", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)

    def _report(self, error: OSError) -> None:
        count = self._failed.count(time.monotonic())
        if count is not None:
            text = "cannot accept connections: %s; retrying every second"
            logger.error(text, error.strerror, extra={"failures": count})


def _once(function: Callable[[], None]) -> Callable[[], None]:
    """Return a function whose first call calls ``function``; later calls do nothing."""
    calls = [function]

    def call() -> None:
        while calls:
            calls.pop()()

    return call
