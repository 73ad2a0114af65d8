"""Servers that send fixed bytes, and resolvers that return fixed addresses."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp.abc import AbstractResolver, ResolveResult

from ..listening import listening  # noqa: TID252 - for all tests of the package

_FOLDER = Path(__file__).parent

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


class Server:
    """Answer each request with the same bytes.

    Attributes:
        port: Port on 127.0.0.1.
        requests: Heads of the requests received.
    """

    def __init__(self, answer: bytes, *, then: str = "close", repeat: bytes = b"") -> None:
        self.port = 0
        self.requests: list[str] = []
        self._answer = answer
        self._then = then
        self._repeat = repeat
        self.done = asyncio.Event()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.requests.append(head.decode("latin-1"))
                writer.write(self._answer)
                await writer.drain()
                while self._repeat:
                    writer.write(self._repeat)
                    await writer.drain()
                if self._then == "close":
                    break
                if self._then == "hang":
                    await self.done.wait()
                    break
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(
    answer: bytes = OK,
    *,
    then: str = "close",
    repeat: bytes = b"",
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Server]:
    """Run a server on 127.0.0.1.

    Args:
        answer: Response to each request.
        then: ``close`` the connection, ``hang``, or ``go on``.
        repeat: Bytes that are sent after the response without end.
        tls: Context with the server's certificate.
    """
    server = Server(answer, then=then, repeat=repeat)
    async with listening(server.handle, tls=tls) as server.port:
        yield server
        server.done.set()


class Names(AbstractResolver):
    """A resolver that returns its answers one after another, and then the last one."""

    def __init__(self, *answers: Sequence[str] | Exception) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        self.asked.append(host)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in answer
        ]

    async def close(self) -> None:
        pass


def certificate() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return TLS contexts for the server of ``hooks.example`` and for a client that trusts it.

    The key is for tests only; the certificate is valid for a hundred years.
    """
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(_FOLDER / "cert.pem", _FOLDER / "key.pem")
    return server, ssl.create_default_context(cafile=str(_FOLDER / "cert.pem"))
