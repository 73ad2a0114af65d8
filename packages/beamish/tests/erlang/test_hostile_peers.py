"""Peers that break the protocol: a clear error, bounded memory, and a node that goes on."""

import asyncio
import logging
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from beamish import GenServer, Pid, call
from beamish.erlang import Atom, Cookie, ErlangNode
from beamish.erlang._format.context import MAX_DEPTH, TermContext
from beamish.erlang._format.encoder import encode
from beamish.erlang._node import socket as socket_module
from beamish.erlang._wire.handshake import Initiator, Node

from .nodes import B, start_node, two_nodes
from .support import COOKIE, HOST, LIMIT_SECONDS

EVE = Node("eve@127.0.0.1", 1)
MAX_BYTES = 10_000


class Echo(GenServer):
    @call
    def echo(self, value: object) -> object:
        return value


class Peer:
    """A peer of raw bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def handshake(self, cookie: Cookie = COOKIE) -> None:
        initiator = Initiator(EVE, cookie, B)
        messages = initiator.start()
        while not initiator.done:
            for message in messages:
                self.writer.write(struct.pack(">H", len(message)) + message)
            (size,) = struct.unpack(">H", await self.reader.readexactly(2))
            messages = initiator.receive(await self.reader.readexactly(size))

    def send(self, frame: bytes) -> None:
        self.writer.write(struct.pack(">I", len(frame)) + frame)

    async def closed(self) -> None:
        """Wait until the node has closed the connection."""
        with suppress(ConnectionError):
            async with asyncio.timeout(LIMIT_SECONDS):
                while await self.reader.read(1000):
                    pass
        self.writer.close()


async def logged(caplog: pytest.LogCaptureFixture, text: str) -> None:
    """Wait until ``text`` is in the log."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while text not in caplog.text:
            await asyncio.sleep(0.01)


@asynccontextmanager
async def peer_of(node: Pid) -> AsyncIterator[Peer]:
    reader, writer = await asyncio.open_connection(HOST, await ErlangNode.port(node))
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()


def control(*terms: object) -> bytes:
    return b"p" + bytes(encode(TermContext(), *terms))


DEEP = b"p\x83" + b"\x68\x01" * (MAX_DEPTH + 1) + b"\x6a"
BAD_FRAMES = {
    "an unknown type": b"q",
    "no term": b"p",
    "a cut-off term": control((2, Atom(""), 1))[:-3],
    "an unknown operation": control((99, 1)),
    "a control message that is not a tuple": control(1),
    "a huge integer as the operation": control((1 << 100_00,)),
    "a message to a number": control((2, Atom(""), 5), 1),
    "a send without a message": control((6, 1, Atom(""), Atom("echo"))),
    "three terms": control((6, 1, Atom(""), Atom("echo")), 1, 2),
    "a deep term": DEEP,
    "a tuple of four billion": b"p\x83\x69\xff\xff\xff\xff",
    "a binary of four gigabytes": b"p\x83\x6d\xff\xff\xff\xff",
    "a link from a number": control((1, 1, 1)),
    # Both need flags that the node has not offered.
    "a fragment": b"\x83\x45" + bytes(16) + b"\x00" + control((2, Atom(""), 1)),
    "an atom cache": b"\x83\x44\x00" + control((2, Atom(""), 1))[1:],
}


@pytest.mark.parametrize("frame", BAD_FRAMES.values(), ids=BAD_FRAMES)
async def test_invalid_frame_closes_the_connection_and_the_node_goes_on(
    attached: Pid, frame: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with two_nodes(exposed=["echo"]) as pair:
        await Echo.start(name="echo")
        async with peer_of(pair.b) as peer:
            await peer.handshake()

            peer.send(frame)

            await peer.closed()
        await logged(caplog, "no connection with the Erlang node eve@127.0.0.1: ")
        assert "internal error" not in caplog.text
        assert await Echo.echo(pair.at_b("echo"), 1) == 1


async def test_announced_frame_over_the_limit_closes_the_connection(
    attached: Pid, caplog: pytest.LogCaptureFixture
) -> None:
    async with two_nodes(max_message_bytes=MAX_BYTES) as pair, peer_of(pair.b) as peer:
        await peer.handshake()

        peer.writer.write(struct.pack(">I", MAX_BYTES + 1))

        await peer.closed()
        await logged(caplog, f"a message can have {MAX_BYTES} bytes; it announced {MAX_BYTES + 1}")


async def test_announced_handshake_over_the_limit_closes_the_connection(
    attached: Pid, caplog: pytest.LogCaptureFixture
) -> None:
    async with two_nodes() as pair, peer_of(pair.b) as peer:
        peer.writer.write(b"\xff\xff")

        await peer.closed()
        await logged(caplog, "it announced 65535")


async def test_wrong_cookie_closes_the_connection(
    attached: Pid, caplog: pytest.LogCaptureFixture
) -> None:
    async with two_nodes() as pair, peer_of(pair.b) as peer:
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await peer.handshake(Cookie("wrong"))

        await logged(caplog, "eve@127.0.0.1: the two nodes have different cookies")
        assert await ErlangNode.peers(pair.b) == ["a@127.0.0.1"]


async def test_connection_cut_off_in_the_middle_of_a_message_is_an_error(
    attached: Pid, caplog: pytest.LogCaptureFixture
) -> None:
    async with two_nodes() as pair, peer_of(pair.b) as peer:
        await peer.handshake()

        peer.writer.write(struct.pack(">I", 100) + b"p")
        peer.writer.close()
        while "eve@127.0.0.1" in await ErlangNode.peers(pair.b):
            await asyncio.sleep(0.01)

        await logged(caplog, "in the middle of a message")


async def test_peer_without_handshake_is_closed_after_a_time(
    attached: Pid, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("beamish.erlang._node.connection.HANDSHAKE_SECONDS", 0.05)
    b = await start_node(B)
    async with peer_of(b) as peer:
        await peer.closed()

    await GenServer.stop(b)
    await logged(caplog, "the handshake took more than 0.05 s")


async def test_handshakes_at_once_are_limited(
    attached: Pid, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(socket_module, "MAX_HANDSHAKES", 1)
    b = await start_node(B)
    async with peer_of(b), peer_of(b) as second:
        await second.closed()

    await logged(caplog, "too many handshakes")
    await GenServer.stop(b)


async def test_silent_peer_is_given_up_and_a_ticking_one_is_not(
    attached: Pid, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    monkeypatch.setattr("beamish.erlang._node.connection.TICK_TIME_SECONDS", 0.2)
    async with two_nodes(exposed=["echo"]) as pair:
        await Echo.start(name="echo")
        async with peer_of(pair.b) as silent:
            await silent.handshake()
            await silent.closed()

        await logged(caplog, "eve@127.0.0.1: it sent nothing for 0.2 s")
        assert await ErlangNode.peers(pair.a) == [B]


async def test_peer_that_waits_in_the_middle_of_a_message_is_given_up(
    attached: Pid, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("beamish.erlang._node.connection.TICK_TIME_SECONDS", 0.2)
    async with two_nodes(max_message_bytes=MAX_BYTES) as pair, peer_of(pair.b) as peer:
        await peer.handshake()

        async def trickle() -> None:
            # A tick within the message is part of it.
            peer.writer.write(struct.pack(">I", MAX_BYTES))
            while True:
                peer.writer.write(b"p")
                await asyncio.sleep(0.01)

        trickling = asyncio.ensure_future(trickle())
        await peer.closed()
        trickling.cancel()

        await logged(caplog, "eve@127.0.0.1: it sent nothing for 0.2 s")


async def test_peer_that_does_not_read_is_given_up(
    attached: Pid, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("beamish.erlang._node.peer.MAX_UNSENT_BYTES", 100_000)
    async with two_nodes() as pair, peer_of(pair.b) as peer:
        await peer.handshake()
        dest = ErlangNode.via(pair.b, EVE.name, "anything")
        async with asyncio.timeout(LIMIT_SECONDS):
            while EVE.name in await ErlangNode.peers(pair.b):
                GenServer.cast(dest, bytes(50_000))
                await asyncio.sleep(0.001)

        await logged(caplog, "it does not read")
