"""Limits on connections, and descriptors reserved for the service."""

import asyncio
import errno
import logging
import resource
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from transaction_tracker.api import WebOptions, descriptors
from transaction_tracker.api.connections import Acceptor, Admission, LogLimiter
from transaction_tracker.api.descriptors import max_client_descriptors, raise_limit

from .support import PATIENCE, Client, eventually, serving

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture
def limits() -> Iterator[tuple[int, int]]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def answered(client: Client) -> bool:
    """Send a request on a new connection; return whether it got a response."""
    try:
        reader, writer = await client.connect()
        writer.write(REQUEST)
        line = await asyncio.wait_for(reader.readline(), PATIENCE)
    except ConnectionError:
        return False
    writer.close()
    return line.startswith(b"HTTP/1.1 200 ")


async def test_connections_per_address_are_limited() -> None:
    async with serving(max_connections_per_address=3, max_connections=100) as client:
        idle = [await client.connect() for _ in range(3)]

        assert not await answered(client)
        for _, writer in idle:
            writer.close()
        async with asyncio.timeout(PATIENCE):
            while not await answered(client):
                await asyncio.sleep(0.002)


async def test_trusted_proxy_is_exempt_from_the_limit_per_address() -> None:
    limits = {"max_connections_per_address": 1, "max_connections": 100}
    async with serving(trusted_proxies=("127.0.0.0/8",), **limits) as client:
        idle = [await client.connect() for _ in range(10)]

        assert await answered(client)
        for _, writer in idle:
            writer.close()


def test_addresses_are_counted_separately_and_released() -> None:
    admission = Admission(4, 2)

    assert admission.admit("192.0.2.1") is None
    assert admission.admit("::ffff:192.0.2.1") is None
    assert admission.admit("192.0.2.1") == "2 connections are open from 192.0.2.1"
    assert admission.admit("2001:db8::1") is None
    assert admission.admit("2001:db8::ffff:2") is None
    assert admission.admit("192.0.2.2") == "4 connections are open"
    admission.release("2001:db8::1")
    assert admission.admit("2001:db8::3") is None
    for host in ("192.0.2.1", "::ffff:192.0.2.1", "2001:db8::3", "2001:db8::4"):
        admission.release(host)
    assert admission == Admission(4, 2)


def test_an_ipv6_network_counts_as_one_address() -> None:
    admission = Admission(9, 1)
    admission.admit("2001:db8::1")

    assert admission.admit("2001:db8:0:0:9::1%eth0") == "1 connections are open from 2001:db8::/64"
    assert admission.admit("2001:db8:0:1::1") is None


def test_descriptors_are_reserved_for_the_service(
    limits: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, limits[1]))

    admission = Admission.of(WebOptions())

    assert (admission.max_total, admission.max_per_address) == (512, 128)
    assert "the limit of open files leaves 512 connections in all" in caplog.text
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, limits[1]))
    assert max_client_descriptors() == 50


def test_limits_below_the_descriptors_are_unchanged(
    limits: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, limits[1]))

    admission = Admission.of(WebOptions(max_connections=3_000, max_connections_per_address=70))

    assert (admission.max_total, admission.max_per_address) == (3_000, 70)
    assert not caplog.records


def test_soft_limit_of_open_files_is_raised_to_the_hard_limit(limits: tuple[int, int]) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, limits[1]))

    raise_limit()

    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (limits[1], limits[1])


def test_system_without_a_limit_of_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptors, "resource", None)

    raise_limit()

    assert max_client_descriptors() is None


class Scarce(socket.socket):
    """A listening socket that has no descriptors to accept with, until it gets some."""

    failures = 1_000_000

    def accept(self) -> tuple[socket.socket, object]:
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


async def test_accepting_resumes_after_descriptors_ran_out_with_one_log_line(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transaction_tracker.api.connections._PAUSE_SECONDS", 0.001)
    opened = asyncio.Event()
    with closing(Scarce()) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        sock.setblocking(False)

        def make(_release: object) -> asyncio.Protocol:
            opened.set()
            return asyncio.Protocol()

        acceptor = Acceptor(sock, Admission(9, 9), make)
        _, writer = await asyncio.open_connection(*sock.getsockname())
        await eventually(lambda: sock.failures < 999_900)
        sock.failures = 0

        async with asyncio.timeout(PATIENCE):
            await opened.wait()
        acceptor.close()
        writer.close()
    assert [record.message for record in caplog.records] == [
        "cannot accept connections: Too many open files; retrying every second"
    ]


async def test_refused_connections_log_one_line_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(max_connections=1) as client:
        _, writer = await client.connect()
        for _ in range(20):
            assert not await answered(client)
        writer.close()

    refused = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [record.message for record in refused] == ["connection refused: 1 connections are open"]


def test_limiter_counts_suppressed_occurrences() -> None:
    limiter = LogLimiter()

    assert [limiter.count(now) for now in (0.0, 1.0, 59.9, 60.0, 60.1, 120.0)] == [
        1,
        None,
        None,
        3,
        None,
        2,
    ]


async def test_flood_of_connections_does_not_starve_the_event_loop() -> None:
    """While connections are queued, accepting does not yield to the event loop by itself."""

    class Flooded(socket.socket):
        accepted = 0

        def accept(self) -> tuple[socket.socket, tuple[str, int]]:
            self.accepted += 1
            return socket.socket(), ("192.0.2.1", 1)

    with closing(Flooded()) as sock:
        sock.setblocking(False)
        acceptor = Acceptor(sock, Admission(1, 0), lambda _: asyncio.Protocol())

        for _ in range(10):
            await asyncio.sleep(0)

        assert 0 < sock.accepted < 1_000
        acceptor.close()


async def test_process_stops_if_accepting_fails(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(socket.socket):
        accepted = socket.socket()

        def accept(self) -> tuple[socket.socket, tuple[str, int]]:
            return self.accepted, ("no address", 1)

    with closing(Broken()) as sock, Broken.accepted:
        sock.setblocking(False)
        acceptor = Acceptor(sock, Admission(1, 1), lambda _: asyncio.Protocol())
        await asyncio.wait([acceptor._task])

        with pytest.raises(ValueError, match="no address"):
            acceptor.check()
        acceptor.close()


async def test_connection_during_the_shutdown_is_not_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    loop = asyncio.get_running_loop()
    errors: list[dict[str, object]] = []
    loop.set_exception_handler(lambda _, context: errors.append(context))
    with closing(socket.create_server(("127.0.0.1", 0))) as sock, socket.socket() as client:
        sock.setblocking(False)
        acceptor = Acceptor(sock, Admission(9, 9), lambda _: asyncio.Protocol())
        await asyncio.sleep(0)  # until it waits
        client.connect(sock.getsockname())
        # Later in the turn of the event loop in which the connection is noticed.
        loop._ready.append(asyncio.Handle(acceptor.close, (), loop))  # type: ignore[attr-defined]

        for _ in range(5):
            await asyncio.sleep(0)

    assert not errors


async def test_connection_accepted_as_the_acceptor_closes_is_closed() -> None:
    """asyncio drops the result of ``sock_accept`` when the task is cancelled before it resumes."""
    loop = asyncio.get_running_loop()
    accepted: list[socket.socket] = []

    class Closing(socket.socket):
        def accept(self) -> tuple[socket.socket, object]:
            connection, peer = super().accept()
            accepted.append(connection)
            loop.call_soon(acceptor.close)  # runs before the task resumes
            return connection, peer

    with closing(Closing()) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        sock.setblocking(False)
        acceptor = Acceptor(sock, Admission(9, 9), lambda _: asyncio.Protocol())
        await asyncio.sleep(0)  # until it waits
        _, writer = await asyncio.open_connection(*sock.getsockname())
        await eventually(lambda: acceptor._task.done())
        writer.close()

    (connection,) = accepted
    assert connection.fileno() == -1


@pytest.mark.parametrize("error", [OSError("disconnected"), MemoryError("no room")])
async def test_connection_that_fails_while_it_opens_is_not_counted(error: Exception) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    admission = Admission(9, 9)
    failed = asyncio.Event()

    def make(_release: object) -> asyncio.Protocol:
        failed.set()
        raise error

    with closing(socket.create_server(("127.0.0.1", 0))) as sock:
        sock.setblocking(False)
        acceptor = Acceptor(sock, admission, make)
        _, writer = await asyncio.open_connection(*sock.getsockname())
        async with asyncio.timeout(PATIENCE):
            await failed.wait()
        await eventually(lambda: not acceptor._opening)
        acceptor.close()
        writer.close()

    assert admission == Admission(9, 9)


async def test_connection_that_waits_to_be_opened_is_closed_with_the_acceptor() -> None:
    admission = Admission(9, 9)
    with closing(socket.create_server(("127.0.0.1", 0))) as sock:
        sock.setblocking(False)
        acceptor = Acceptor(sock, admission, lambda _release: asyncio.Protocol())
        connection, client = socket.socketpair()
        with client:
            acceptor._admit(connection, "127.0.0.1")
            acceptor.close()
            await eventually(lambda: not acceptor._opening)

    assert connection.fileno() == -1
    assert admission == Admission(9, 9)
