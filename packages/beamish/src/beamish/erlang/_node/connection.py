"""`Connection`: the process of one connection, which makes it and ticks."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from beamish import process
from beamish.erlang._node.socket import Closed, Socket
from beamish.erlang.errors import ErlangConnectionError
from beamish.gen_server import GenServer
from beamish.results import Continue, Stop

HANDSHAKE_SECONDS = 7.0
"""Time limit of a connection's start, that of Erlang (``net_setuptime``)."""
TICK_TIME_SECONDS = 60.0
"""A peer that sends nothing for this long is gone (``net_ticktime``)."""
_TICKS = 4  # in that time


@dataclass(frozen=True, slots=True)
class Tick:
    """Time to send a tick, and to check that the peer lives."""


@dataclass(frozen=True, slots=True)
class HandshakeTimeout:
    """The time limit of the handshake is over."""


class Connection(GenServer, restart="temporary", trap_exit=True):
    """One connection, from the first byte to its end.

    Args:
        peer: Name or address of the peer, for errors.
        open_socket: Makes the socket and returns it; for an accepted one, at once.
    """

    def __init__(self, peer: str, open_socket: Callable[[], Awaitable[Socket]]) -> None:
        self.peer = peer
        self.open_socket = open_socket
        self.socket: Socket | None = None
        self.silent_ticks = 0
        self.seen = (0, 0)  # frames received and sent at the last tick

    def init(self) -> Continue:
        """Make the socket after the start."""
        return Continue("open")

    async def handle_continue(self, arg: object) -> Stop | None:
        """Make the socket."""
        process.send_after(self.pid, HandshakeTimeout(), HANDSHAKE_SECONDS)
        process.send_after(self.pid, Tick(), TICK_TIME_SECONDS / _TICKS)
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                self.socket = await self.open_socket()
        except TimeoutError:
            return self._failed(f"no connection within {HANDSHAKE_SECONDS:g} s")
        except ErlangConnectionError as error:
            return Stop(("shutdown", error))
        except OSError as error:
            return self._failed(str(error))
        self.socket.owner = self.pid
        return None if self.socket.closed is None else self._closed(self.socket.closed)

    def _closed(self, closed: Closed) -> Stop:
        return Stop("shutdown" if closed.error is None else ("shutdown", closed.error))

    def _failed(self, why: str) -> Stop:
        name = self.peer if self.socket is None else self.socket.peer_name
        return Stop(("shutdown", ErlangConnectionError(name, why)))

    def handle_info(self, message: object) -> Stop | None:
        """Handle the events of the socket and the timers."""
        match message:
            case Closed():
                return self._closed(message)
            case HandshakeTimeout() if self.socket is not None and self.socket.peer is None:
                return self._failed(f"the handshake took more than {HANDSHAKE_SECONDS:g} s")
            case Tick() if self.socket is not None:
                return self._tick(self.socket)
        return None

    def _tick(self, socket: Socket) -> Stop | None:
        received, sent = self.seen
        self.silent_ticks = self.silent_ticks + 1 if socket.received == received else 0
        if self.silent_ticks >= _TICKS:
            return self._failed(f"it sent nothing for {TICK_TIME_SECONDS:g} s")
        if socket.sent == sent:
            socket.tick()
        self.seen = (socket.received, socket.sent)
        process.send_after(self.pid, Tick(), TICK_TIME_SECONDS / _TICKS)
        return None

    def terminate(self, reason: object) -> None:
        """Close the socket."""
        if self.socket is None:
            return
        match reason:
            case ("shutdown", Exception() as error):
                self.socket.fail(error)
            case _:
                self.socket.close()
