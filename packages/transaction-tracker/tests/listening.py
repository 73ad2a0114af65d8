"""Ports of tests, and a TCP server that leaves no connection behind."""

import asyncio
import random
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

Handle = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

# Rounds of the event loop, more than from the accept of a connection to the call of its handler.
_ROUNDS = 5
# Below the ports that systems give to clients and to servers that ask for any.
_RESERVED = range(20_000, 32_000)


def free_port() -> int:
    """Return a port on 127.0.0.1 that is free, and that other programs are unlikely to take."""
    while True:
        port = random.choice(_RESERVED)
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


@contextmanager
def closed_port() -> Iterator[int]:
    """Keep a port on 127.0.0.1 closed: it refuses connections, and no other program can take it."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # it does not listen
        yield bound.getsockname()[1]


@asynccontextmanager
async def listening(
    handle: Handle, *, port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Serve on 127.0.0.1 while the block runs; yield the port.

    At the end, running handlers are cancelled, and all connections are closed.

    ``asyncio.Server.close`` alone loses a connection that is accepted just then: asyncio opens it
    a round later, fails because the server is closed, and leaves the socket to the garbage
    collector, whose warning fails any later test. A handler that has not begun is lost, too.
    """
    handlers: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await handle(reader, writer)

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers[asyncio.create_task(run(reader, writer))] = writer

    server = await asyncio.start_server(connected, "127.0.0.1", port, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        for sock in server.sockets:
            asyncio.get_running_loop().remove_reader(sock.fileno())  # stop accepting
        for _ in range(_ROUNDS):
            await asyncio.sleep(0)
        server.close()
        await _end(handlers)


async def _end(handlers: dict[asyncio.Task[None], asyncio.StreamWriter]) -> None:
    for task in handlers:
        task.cancel()
    results = await asyncio.gather(*handlers, return_exceptions=True)
    for writer in handlers.values():
        writer.transport.abort()
    for _ in range(_ROUNDS):  # until the sockets are closed
        await asyncio.sleep(0)
    for result in results:
        if isinstance(result, Exception):
            raise result
