"""A PostgreSQL server that falls silent: connections stay open, but no data arrives."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from .listening import listening
from .postgres import Postgres


class Line:
    """A proxy to a server, which passes no data once it is silent.

    Attributes:
        port: Where programs reach the server.
        heard: Set when the silent proxy has received data.
    """

    def __init__(self, socket_path: str) -> None:
        self.port = 0
        self.heard = asyncio.Event()
        self._path = socket_path
        self._open = asyncio.Event()
        self._open.set()

    def url(self, direct: str) -> str:
        """Return the URL of a database through the proxy."""
        name = direct.partition("@/")[2].partition("?")[0]
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def fall_silent(self) -> None:
        """Stop passing data, but still accept connections."""
        self._open.clear()

    def speak(self) -> None:
        """Pass data again, including data that has waited."""
        self._open.set()

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass the data of a connection in both directions."""
        there, back = await asyncio.open_unix_connection(self._path)
        try:
            await asyncio.gather(self._pass_on(reader, back), self._pass_on(there, writer))
        except OSError:  # an end was closed, or shut down, while it waited for data
            pass
        finally:
            # Both before the waits, of which the first can fail or be cancelled.
            for stream in (writer, back):
                stream.close()
            for stream in (writer, back):
                with suppress(OSError):
                    await stream.wait_closed()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(2**16):
            if not self._open.is_set():
                self.heard.set()
            await self._open.wait()
            writer.write(data)
            await writer.drain()
        writer.write_eof()


@asynccontextmanager
async def line_to(server: Postgres) -> AsyncIterator[Line]:
    """Run a proxy to a server."""
    line = Line(f"{server.folder}/.s.PGSQL.5432")
    async with listening(line.connect) as line.port:
        yield line
