"""Messages of epmd, the daemon that knows the port of each node of a host.

Source:
    "EPMD Protocol" in the distribution protocol of the Erlang Run-Time System.
"""

import struct
from struct import pack, unpack_from

from beamish.erlang.errors import ErlangConnectionError

MAX_RESPONSE_BYTES = 1024
"""Maximum size of a response of epmd, which is a name of 255 bytes and some numbers."""

_ALIVE2, _PORT_PLEASE2 = 120, 122
_ALIVE2_X_RESPONSE, _ALIVE2_RESPONSE, _PORT2_RESPONSE = 118, 121, 119
_HIDDEN_NODE, _TCP = 72, 0
VERSION = 6
"""The version of the handshake since OTP 23."""


def register_request(short_name: str, port: int) -> bytes:
    """Return the request to register a hidden node; it is registered while the socket is open."""
    name = short_name.encode()
    fields = pack(">BHBBHHH", _ALIVE2, port, _HIDDEN_NODE, _TCP, VERSION, VERSION, len(name))
    return _framed(fields + name + pack(">H", 0))


def registered(response: bytes, short_name: str) -> int | None:
    """Return the creation of the registered node; ``None`` while the response is incomplete.

    Raises:
        ErlangConnectionError: epmd has refused the name.
    """
    if len(response) < 2:
        return None
    tag, result = response[0], response[1]
    if tag not in (_ALIVE2_RESPONSE, _ALIVE2_X_RESPONSE):
        raise ErlangConnectionError(short_name, f"epmd responded with the unknown tag {tag}")
    if result != 0:
        raise ErlangConnectionError(
            short_name, f"epmd refused the name (error {result}); another node may have it"
        )
    size = 4 if tag == _ALIVE2_X_RESPONSE else 2
    if len(response) < 2 + size:
        return None
    return int.from_bytes(response[2 : 2 + size], "big")


def port_request(short_name: str) -> bytes:
    """Return the request for the port of a node."""
    return _framed(bytes((_PORT_PLEASE2,)) + short_name.encode())


def port(response: bytes, node: str) -> int:
    """Return the port in a complete response.

    Raises:
        ErlangConnectionError: epmd does not know the node, or the node is too old.
    """
    try:
        tag, result = unpack_from(">BB", response)
        if tag != _PORT2_RESPONSE:
            raise ErlangConnectionError(node, f"epmd responded with the unknown tag {tag}")
        if result != 0:
            raise ErlangConnectionError(node, "epmd does not know it; is it running?")
        number, _, _, highest, _ = unpack_from(">HBBHH", response, 2)
    except struct.error as error:
        raise ErlangConnectionError(node, "the response of epmd is cut off") from error
    if highest < VERSION:
        raise ErlangConnectionError(node, f"its protocol version is {highest}; OTP 25 is needed")
    return int(number)


def _framed(message: bytes) -> bytes:
    return pack(">H", len(message)) + message
