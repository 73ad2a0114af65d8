"""Splits the byte stream of a connection into frames, each behind its length."""

from collections.abc import Iterator

from beamish.erlang.errors import ErlangConnectionError


class FrameReader:
    """Collects bytes and returns complete frames.

    The length is checked before anything is collected, so a peer cannot make this node hold more
    than one frame and one read of the socket.

    Args:
        peer: Name or address of the peer, for errors.
        length_bytes: Size of the length before each frame.
        limit: Maximum size of a frame in bytes.
    """

    def __init__(self, peer: str, length_bytes: int, limit: int) -> None:
        self.peer = peer
        self.length_bytes = length_bytes
        self.limit = limit
        self._buffer = bytearray()

    @property
    def held(self) -> int:
        """Number of bytes that wait for the rest of their frame."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the frames that ``data`` completes.

        The length's size and the limit can be changed between two frames.

        Raises:
            ErlangConnectionError: A frame is larger than the limit.
        """
        self._buffer += data
        buffer, at = self._buffer, 0
        try:
            while len(buffer) - at >= self.length_bytes:
                start = at + self.length_bytes
                size = int.from_bytes(buffer[at:start], "big")
                if size > self.limit:
                    why = f"a message can have {self.limit} bytes; it announced {size}"
                    raise ErlangConnectionError(self.peer, why)
                if len(buffer) < start + size:
                    return
                at = start + size
                yield bytes(buffer[start:at])
        finally:
            del buffer[:at]
