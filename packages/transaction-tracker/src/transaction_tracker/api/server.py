"""uvicorn inside our event loop: no signal handlers, guarded connections, problems as JSON."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterator
from typing import Any

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from transaction_tracker.api.connections import Acceptor, Admission
from transaction_tracker.api.options import WebOptions
from transaction_tracker.api.problems import MEDIA_TYPE

# What strangers send over a wire is no news: only what goes wrong here is.
_wire = logging.getLogger("transaction_tracker.api.wire")
_wire.setLevel(logging.ERROR)


def _is_error(record: logging.LogRecord) -> bool:
    """Return whether a record is about an error: uvicorn also logs requests that are cancelled.

    They are cancelled when they have not ended in the time for it, or the program is killed.
    """
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


_wire.addFilter(_is_error)

_TICK_SECONDS = 1.0
_BACKLOG = 1_024
_LINGER_SECONDS = 1.0
_LOOK_SECONDS = 0.01

_BAD_REQUEST = (
    b'{"type":"about:blank","title":"Bad Request","status":400,'
    b'"detail":"not an HTTP/1.1 request, or its headers are too large"}'
)


class Listener(uvicorn.Server):
    """The server of one API; whoever runs it handles the signals.

    Args:
        config: uvicorn's.
        protocol: Serves one connection.
        admission: Which connections are admitted.
        shutdown_seconds: Time for requests under way to end when it is stopped.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        protocol: "type[GuardedProtocol]",
        admission: Admission,
        shutdown_seconds: float,
    ) -> None:
        super().__init__(config)
        self._admission = admission
        self._protocol_class = protocol
        self._shutdown_seconds = shutdown_seconds
        self._stop = asyncio.Event()
        self._acceptors: list[Acceptor] = []

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the program that this is a part of."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections, under limits of our own."""
        await self.lifespan.startup()
        self.servers = []
        self._acceptors = [
            Acceptor(sock, self._admission, self._protocol) for sock in sockets or ()
        ]
        self.started = True

    async def main_loop(self) -> None:
        """Keep the clock in the headers right until told to stop."""
        while not self.should_exit:
            for acceptor in self._acceptors:
                acceptor.check()
            await self.on_tick(0)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TICK_SECONDS):
                    await self._stop.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more, and wait for what is under way, but not for ever."""
        for acceptor in self._acceptors:
            acceptor.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._shutdown_seconds):
                while self.server_state.tasks:
                    await asyncio.wait(self.server_state.tasks)
                while self.server_state.connections:  # they still send the last of it
                    await asyncio.sleep(_LOOK_SECONDS)
        for task in self.server_state.tasks:
            task.cancel()

    def stop(self) -> None:
        """Accept no more, and end when what is under way has ended."""
        self.should_exit = True
        self._stop.set()

    def abandon(self) -> None:
        """Let everything go at once."""
        for acceptor in self._acceptors:
            acceptor.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()

    def _protocol(self, release: Callable[[], None]) -> asyncio.Protocol:
        protocol = self._protocol_class(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        protocol.on_close = release
        return protocol


def listener(app: FastAPI, options: WebOptions) -> Listener:
    """Make a server for ``app``; ``serve(sockets=[...])`` runs it."""
    protocol = _protocol(options)
    config = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(options.trusted_proxies),
        forwarded_allow_ips=list(options.trusted_proxies),
        h11_max_incomplete_event_size=options.max_headers_bytes,
    )
    return Listener(config, protocol, Admission.of(options), options.shutdown_seconds)


def bind(options: WebOptions) -> socket.socket:
    """Take the address.

    Raises:
        OSError: It cannot be had; the message says which, and what to do.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # asyncio sends small parts at once only on sockets that say what they speak.
        sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    except OSError as error:
        raise _cannot_listen(options, error) from None
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise _cannot_listen(options, error) from None
    sock.setblocking(False)
    return sock


def _cannot_listen(options: WebOptions, error: OSError) -> OSError:
    where = f"{options.host} port {options.port}"
    way_out = "choose another address or port; port 0 takes any that is free"
    return OSError(error.errno, f"cannot listen on {where}: {error.strerror}; {way_out}")


def _protocol(options: WebOptions) -> "type[GuardedProtocol]":
    class Guarded(GuardedProtocol):
        header_seconds = options.header_seconds

    return Guarded


class GuardedProtocol(H11Protocol):
    """One connection: closed when its headers do not come.

    Attributes:
        on_close: Called once the connection is over.
    """

    header_seconds: float
    on_close: Callable[[], None]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.logger = _wire
        # For those who answer: how to be rid of a client that takes nothing.
        self.app_state = {**self.app_state, "abort": self._abort}
        self._refused = False
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, and wait for the first request."""
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """End, and make room for another connection."""
        super().connection_lost(exc)
        self.on_close()
        if self._patience is not None:
            self._patience.cancel()

    def on_response_complete(self) -> None:
        """Wait for the next request on this connection."""
        super().on_response_complete()
        self._expect_headers()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request."""
        headers = [(b"content-type", MEDIA_TYPE.encode()), (b"connection", b"close")]
        events = (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=_BAD_REQUEST),
            h11.EndOfMessage(),
        )
        with contextlib.suppress(h11.LocalProtocolError):  # an answer is under way already
            for event in events:
                self.transport.write(self.conn.send(event) or b"")
        # Who still sends would lose the answer if this closed at once.
        self._refused = True
        self.transport.write_eof()
        self.loop.call_later(_LINGER_SECONDS, self._abort)

    def data_received(self, data: bytes) -> None:
        """Read on, unless what came was refused."""
        if not self._refused:
            super().data_received(data)

    def _expect_headers(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self._patience = self.loop.call_later(self.header_seconds, self._give_up)

    def _give_up(self) -> None:
        # uvicorn's own limit of idle time ends with the first byte: one byte an hour holds
        # a connection for ever.
        if self.cycle is not None and not self.cycle.response_complete:
            return
        if self.transport.get_write_buffer_size():
            self._abort()  # a close would wait until the client has taken it
        else:
            self.transport.close()

    def _abort(self) -> None:
        self.transport.abort()
