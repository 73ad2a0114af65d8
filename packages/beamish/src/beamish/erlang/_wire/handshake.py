"""The handshake of two nodes, as two state machines without sockets.

The initiator sends its name; the acceptor sends a status and a challenge; the initiator answers it
and sends its own challenge, which the acceptor answers. Both prove that they know the cookie.

Source:
    "Distribution Handshake" of the Erlang Run-Time System, version 6 (OTP 23 and later).
"""

import secrets
import struct
from collections.abc import Callable
from dataclasses import dataclass
from struct import pack, unpack_from
from typing import Literal, Protocol

from beamish.erlang._wire.cookie import Cookie
from beamish.erlang._wire.flags import OURS, missing
from beamish.erlang.errors import ErlangConnectionError

MAX_HANDSHAKE_BYTES = 2048
"""Maximum size of a message before the peer has proved that it knows the cookie."""
MAX_NODE_NAME_BYTES = 1020
"""Maximum size of a node's name: an atom of 255 characters."""

Status = Literal["ok", "ok_simultaneous", "nok", "alive"]

_SEND_NAME = ">QIH"
_CHALLENGE = ">QIIH"
_DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class Node:
    """One side of a handshake.

    Args:
        name: Full name, such as ``ex@127.0.0.1``.
        creation: Number that tells a restarted node from its predecessor.
    """

    name: str
    creation: int


class Handshake(Protocol):
    """What both state machines have in common.

    Attributes:
        peer: The other node; ``None`` until it has sent its name.
        done: Whether both sides have proved that they know the cookie.
        refusal: The message to send before the connection is closed, if there is one.
    """

    peer: Node | None
    done: bool
    refusal: bytes | None

    def start(self) -> list[bytes]:
        """Return the messages to send first."""
        ...

    def receive(self, message: bytes) -> list[bytes]:
        """Handle a message; return the messages to send.

        Raises:
            ErlangConnectionError: The connection must be closed.
        """
        ...


class BothConnectError(ErlangConnectionError):
    """Both nodes connect at once, and the peer's attempt goes on."""


class Initiator:
    """The handshake of the node that opened the connection.

    Args:
        node: This node.
        cookie: The shared secret.
        peer_name: Name of the node that must answer.
    """

    def __init__(self, node: Node, cookie: Cookie, peer_name: str) -> None:
        self.peer: Node | None = None
        self.done = False
        self.refusal: bytes | None = None
        self._node = node
        self._cookie = cookie
        self._peer_name = peer_name
        self._challenge = secrets.randbits(32)
        self._expects: Callable[[bytes], list[bytes]] = self._status

    def start(self) -> list[bytes]:
        """Return the message with this node's name."""
        name = self._node.name.encode()
        return [b"N" + pack(_SEND_NAME, OURS, self._node.creation, len(name)) + name]

    def receive(self, message: bytes) -> list[bytes]:
        """Handle a message; return the messages to send."""
        return _checked(self._expects, message, self._peer_name)

    def _status(self, message: bytes) -> list[bytes]:
        match message:
            case b"sok" | b"sok_simultaneous":
                self._expects = self._challenged
                return []
            case b"salive":  # it has not noticed yet that an old connection is gone
                self._expects = self._challenged
                return [b"strue"]
            case b"snok":
                raise BothConnectError(self._peer_name, "both nodes connect at once")
            case b"snot_allowed":
                raise ErlangConnectionError(self._peer_name, "it does not allow this node")
        raise _unexpected(self._peer_name, "a status", message)

    def _challenged(self, message: bytes) -> list[bytes]:
        if message[:1] != b"N":
            raise _unexpected(self._peer_name, "a challenge", message)
        flags, challenge, creation, size = unpack_from(_CHALLENGE, message, 1)
        name = _name(message, 19, size)
        if name != self._peer_name:
            raise ErlangConnectionError(self._peer_name, f"the node there is named {name!r}")
        _check_flags(name, flags)
        self.peer = Node(name, creation)
        self._expects = self._acknowledged
        return [b"r" + pack(">I", self._challenge) + self._cookie.digest(challenge)]

    def _acknowledged(self, message: bytes) -> list[bytes]:
        if len(message) != 1 + _DIGEST_BYTES or message[:1] != b"a":
            raise _unexpected(self._peer_name, "the answer to the challenge", message)
        if not self._cookie.verifies(message[1:], self._challenge):
            raise _wrong_cookie(self._peer_name)
        self.done = True
        return []


class Acceptor:
    """The handshake of the node that accepted the connection.

    Args:
        node: This node.
        cookie: The shared secret.
        status_for: Returns whether a node with this name can connect now.
        address: Address of the peer, for errors before it has sent its name.
    """

    def __init__(
        self, node: Node, cookie: Cookie, status_for: Callable[[str], Status], address: str
    ) -> None:
        self.peer: Node | None = None
        self.done = False
        self.refusal: bytes | None = None
        self._node = node
        self._cookie = cookie
        self._status_for = status_for
        self._peer_name = address
        self._challenge = secrets.randbits(32)
        self._expects: Callable[[bytes], list[bytes]] = self._named

    def start(self) -> list[bytes]:
        """Return nothing: the initiator begins."""
        return []

    def receive(self, message: bytes) -> list[bytes]:
        """Handle a message; return the messages to send."""
        return _checked(self._expects, message, self._peer_name)

    def _named(self, message: bytes) -> list[bytes]:
        if message[:1] != b"N":
            raise _unexpected(self._peer_name, "a name in the handshake of OTP 23+", message)
        flags, creation, size = unpack_from(_SEND_NAME, message, 1)
        name = _name(message, 15, size)
        self._peer_name = name
        _check_flags(name, flags)
        self.peer = Node(name, creation)
        status = self._status_for(name)
        if status == "alive":
            self._expects = self._replaces
            return [b"salive"]
        if status == "nok":
            self.refusal = b"snok"
            raise ErlangConnectionError(name, "this node is connecting to it already")
        self._expects = self._answered
        return [b"s" + status.encode(), self._challenge_message()]

    def _replaces(self, message: bytes) -> list[bytes]:
        if message != b"strue":
            raise ErlangConnectionError(self._peer_name, "it keeps its old connection")
        self._expects = self._answered
        return [self._challenge_message()]

    def _challenge_message(self) -> bytes:
        name = self._node.name.encode()
        fields = pack(_CHALLENGE, OURS, self._challenge, self._node.creation, len(name))
        return b"N" + fields + name

    def _answered(self, message: bytes) -> list[bytes]:
        if len(message) != 5 + _DIGEST_BYTES or message[:1] != b"r":
            raise _unexpected(self._peer_name, "the answer to the challenge", message)
        (challenge,) = unpack_from(">I", message, 1)
        if not self._cookie.verifies(message[5:], self._challenge):
            raise _wrong_cookie(self._peer_name)
        self.done = True
        return [b"a" + self._cookie.digest(challenge)]


def _checked(expects: Callable[[bytes], list[bytes]], message: bytes, peer: str) -> list[bytes]:
    try:
        return expects(message)
    except struct.error as error:
        raise ErlangConnectionError(peer, "a message of its handshake is cut off") from error


def _name(message: bytes, start: int, size: int) -> str:
    data = message[start : start + size]
    try:
        name = data.decode()
    except UnicodeDecodeError:
        name = ""
    if len(data) != size or size > MAX_NODE_NAME_BYTES or not is_node_name(name):
        raise ErlangConnectionError("?", f"a node must be named like name@host; got {data[:80]!r}")
    return name


def is_node_name(name: object) -> bool:
    """Return whether ``name`` has the form ``name@host``, in printable characters."""
    if not isinstance(name, str) or not name.isprintable():
        return False
    short, at, host = name.partition("@")
    return bool(short and at and host) and "@" not in host and " " not in name


def _check_flags(peer: str, flags: int) -> None:
    lacking = missing(flags)
    if lacking:
        raise ErlangConnectionError(peer, f"OTP 25 or later is needed; it lacks {lacking}")


def _unexpected(peer: str, expected: str, message: bytes) -> ErlangConnectionError:
    return ErlangConnectionError(peer, f"expected {expected}; got {message[:40]!r}")


def _wrong_cookie(peer: str) -> ErlangConnectionError:
    return ErlangConnectionError(peer, "the two nodes have different cookies")
