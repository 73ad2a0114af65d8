"""The socket of one connection: the handshake, then frames in both directions."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from beamish import process
from beamish.erlang._format.decoder import decode
from beamish.erlang._node.functions import Functions
from beamish.erlang._node.inbound import Inbound
from beamish.erlang._node.peer import Peer
from beamish.erlang._node.table import NodeTable
from beamish.erlang._wire.frames import FrameReader
from beamish.erlang._wire.handshake import MAX_HANDSHAKE_BYTES, Handshake
from beamish.erlang.errors import ErlangConnectionError, TermError
from beamish.pid import Pid

_log = logging.getLogger("beamish")

MAX_HANDSHAKES = 100
"""Maximum number of handshakes at once: their peers have not proved anything yet."""

_PASS_THROUGH = ord("p")
_TICK = bytes(4)  # a frame of length 0
_LENGTH_BYTES = 4


@dataclass(frozen=True, slots=True)
class Closed:
    """Sent to the owner of a socket: the connection has ended.

    Args:
        error: Why; ``None`` if one of the nodes has closed it.
    """

    error: Exception | None


class Socket(asyncio.Protocol):
    """One connection with another node.

    Args:
        peer_name: Name of the peer; ``None`` takes its address until it has sent its name.
        handshake: Returns this node's side of the handshake with the peer of this name or address.
        table: The node.
        functions: The functions that the peer can call.
        max_message_bytes: Maximum size of a message from the peer.
        tls: Whether the connection is encrypted: the handshake then has longer lengths.
        opened: Called when the handshake is done.

    Attributes:
        owner: The process that gets `Closed`.
        closed: The message that it gets, once the connection has ended.
    """

    def __init__(
        self,
        peer_name: str | None,
        handshake: Callable[[str], Handshake],
        *,
        table: NodeTable,
        functions: Functions,
        max_message_bytes: int,
        tls: bool,
        opened: Callable[["Socket"], None],
    ) -> None:
        self.owner: Pid | None = None
        self.closed: Closed | None = None
        self.handshake: Handshake | None = None
        self._make_handshake = handshake
        self.peer: Peer | None = None
        self.received = self.sent = 0  # frames, for the ticks
        self._table = table
        self._functions = functions
        self._max_message_bytes = max_message_bytes
        self._opened = opened
        self._length_bytes = _LENGTH_BYTES if tls else 2
        self._reader = FrameReader(peer_name or "", self._length_bytes, MAX_HANDSHAKE_BYTES)
        self._transport: Any = None
        self._inbound: Inbound | None = None

    @property
    def peer_name(self) -> str:
        """The name of the peer, or its address while that is unknown."""
        return self._reader.peer

    # -- What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first messages of the handshake."""
        self._transport = transport
        if not self._reader.peer:
            host, port, *_ = transport.get_extra_info("peername") or ("?", 0)
            self._reader.peer = f"{host}:{port}"
        self.handshake = self._make_handshake(self._reader.peer)
        if len(self._table.handshakes) >= MAX_HANDSHAKES:
            self._end(ErlangConnectionError(self._reader.peer, "too many handshakes at once"))
            return
        self._table.handshakes.add(self)
        for message in self.handshake.start():
            self._send_handshake(message)

    def data_received(self, data: bytes) -> None:
        """Handle the frames that ``data`` completes."""
        try:
            for frame in self._reader.feed(data):
                if self.closed is not None:
                    return
                self.received += 1
                if self._inbound is None:
                    self._shake_hands(frame)
                elif frame:
                    self._inbound.handle(self._terms(frame))
        except (ErlangConnectionError, TermError) as error:
            self.fail(self._as_connection_error(error))
        except Exception as error:  # a half-handled message must not leave the connection open
            _log.exception("a message of the node %s could not be handled", self._reader.peer)
            self.fail(ErlangConnectionError(self._reader.peer, f"internal error: {error!r}"))

    def connection_lost(self, exc: Exception | None) -> None:
        """End everything that depends on the connection."""
        why = None if exc is None else str(exc)
        if why is None and (self._inbound is None or self._reader.held):
            why = "it closed the connection in the middle of a message"
        self._end(None if why is None else ErlangConnectionError(self._reader.peer, why))

    # -- Handshake

    def _send_handshake(self, message: bytes) -> None:
        self._transport.write(len(message).to_bytes(self._length_bytes, "big") + message)

    def _shake_hands(self, message: bytes) -> None:
        handshake = self.handshake
        assert handshake is not None  # noqa: S101 - set when the connection was made
        for answer in handshake.receive(message):
            self._send_handshake(answer)
        if handshake.done and handshake.peer is not None:
            name = handshake.peer.name
            self._reader.peer = name
            self._reader.length_bytes = _LENGTH_BYTES
            self._reader.limit = self._max_message_bytes
            self.peer = Peer(name, self._table, self)
            self._inbound = Inbound(self.peer, self._functions)
            self._table.handshakes.discard(self)
            self._opened(self)

    def _as_connection_error(self, error: Exception) -> ErlangConnectionError:
        if isinstance(error, ErlangConnectionError):
            return error
        return ErlangConnectionError(self._reader.peer, f"it sent an invalid term: {error}")

    # -- Frames

    def _terms(self, frame: bytes) -> list[Any]:
        if frame[0] != _PASS_THROUGH:
            raise ErlangConnectionError(self._reader.peer, f"unknown type of message {frame[0]}")
        return decode(self._table, frame, 1, limit=2)

    def write_frames(self, *frames: bytearray) -> None:
        """Send frames in one write."""
        if self.closed is None:
            self.sent += len(frames)
            parts = [part for f in frames for part in (len(f).to_bytes(_LENGTH_BYTES, "big"), f)]
            self._transport.write(b"".join(parts))

    def tick(self) -> None:
        """Send an empty frame, which shows the peer that this node lives."""
        if self.closed is None:
            self._transport.write(_TICK)

    def unsent(self) -> int:
        """Return the number of bytes that wait to be sent."""
        return 0 if self.closed is not None else int(self._transport.get_write_buffer_size())

    # -- The end

    def abort(self, why: str) -> None:
        """Close the connection at once, in a later step: a caller may be sending."""
        error = ErlangConnectionError(self._reader.peer, why)
        self._table.runtime.loop.call_soon(self.fail, error)

    def fail(self, error: Exception) -> None:
        """Close the connection because of ``error``."""
        if self.closed is not None:
            return
        if self.peer is None and self.handshake is not None and self.handshake.refusal:
            self._send_handshake(self.handshake.refusal)
        self._end(error)

    def close(self) -> None:
        """Close the connection after what is written."""
        self._end(None)

    def _end(self, error: Exception | None) -> None:
        if self.closed is not None:
            return
        self.closed = Closed(error)
        self._table.handshakes.discard(self)
        if self._transport is not None:
            self._transport.close() if error is None else self._transport.abort()
        if self.peer is not None:
            peer = self.peer
            if self._table.peers.get(peer.name) is peer:
                del self._table.peers[peer.name]
            peer.close()
        if self.owner is not None:
            process.send(self.owner, self.closed)
