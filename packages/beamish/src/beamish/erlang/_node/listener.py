"""`Listener`: accepts connections, and keeps the node's name at epmd while it does."""

import asyncio
import secrets
from collections.abc import Callable
from ssl import SSLContext
from typing import Any

from beamish import process
from beamish.erlang._wire import epmd
from beamish.erlang.errors import ErlangConnectionError
from beamish.gen_server import GenServer, call
from beamish.pid import Pid
from beamish.results import Stop

EPMD_SECONDS = 5.0
"""Time limit of a request to epmd."""

Address = tuple[str, int]


class EpmdRegistration(asyncio.Protocol):
    """The connection with epmd that keeps the name registered; its end is told to ``owner``."""

    def __init__(self, short_name: str, owner: Pid) -> None:
        self.creation: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._short_name = short_name
        self._owner = owner
        self._response = bytearray()

    def data_received(self, data: bytes) -> None:
        """Read the response."""
        if self.creation.done():
            return
        self._response += data[: epmd.MAX_RESPONSE_BYTES]
        try:
            creation = epmd.registered(bytes(self._response), self._short_name)
        except ErlangConnectionError as error:
            self.creation.set_exception(error)
            return
        if creation is not None:
            self.creation.set_result(creation)

    def connection_lost(self, exc: Exception | None) -> None:
        """Send the owner an error."""
        error = ErlangConnectionError(self._short_name, "epmd has closed the registration")
        if not self.creation.done():
            self.creation.set_exception(error)
        process.send(self._owner, error)


class Listener(GenServer, restart="temporary", trap_exit=True):
    """Accepts connections of other nodes.

    Args:
        short_name: The part of the node's name before the ``@``.
        listen: Address to listen at; port 0 takes a free one.
        epmd_address: Address of epmd; ``None`` registers nowhere.
        tls: Encrypts the connections.
        accepted: Returns the protocol for a new connection.
    """

    def __init__(
        self,
        short_name: str,
        listen: Address,
        epmd_address: Address | None,
        tls: SSLContext | None,
        accepted: Callable[[], asyncio.Protocol],
    ) -> None:
        self.short_name = short_name
        self.listen = listen
        self.epmd_address = epmd_address
        self.tls = tls
        self.accepted = accepted
        self.server: asyncio.Server | None = None
        self.epmd_transport: Any = None
        self.creation = 0

    async def init(self) -> None:
        """Listen, then register."""
        loop = asyncio.get_running_loop()
        host, port = self.listen
        self.server = await loop.create_server(self.accepted, host, port, ssl=self.tls)
        try:
            self.creation = await self._register()
        except BaseException:
            self._close()
            raise

    async def _register(self) -> int:
        if self.epmd_address is None:
            return secrets.randbelow(2**32 - 4) + 4  # a restarted node differs; 0 to 3 are special
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(EPMD_SECONDS):
                self.epmd_transport, registration = await loop.create_connection(
                    lambda: EpmdRegistration(self.short_name, self.pid), *self.epmd_address
                )
                self.epmd_transport.write(epmd.register_request(self.short_name, self.port()))
                return await registration.creation
        except ErlangConnectionError:  # its response; it is an OSError, too
            raise
        except (OSError, TimeoutError) as error:
            host, port = self.epmd_address
            raise ErlangConnectionError(
                self.short_name,
                f"epmd at {host}:{port} does not answer; start it (epmd -daemon), "
                "or give epmd=None to register nowhere",
            ) from error

    @call
    def facts(self) -> tuple[int, int]:
        """Return the port and the creation of the node."""
        return self.port(), self.creation

    def port(self) -> int:
        """Return the port it listens at."""
        return int(self.server.sockets[0].getsockname()[1]) if self.server is not None else 0

    def handle_info(self, message: object) -> Stop | None:
        """Stop when epmd is gone, so that a restart registers again."""
        # "shutdown": the crash report is that of the node, which stops for the same error.
        lost = isinstance(message, ErlangConnectionError)
        return Stop(("shutdown", message)) if lost else None

    def terminate(self, reason: object) -> None:
        """Stop listening."""
        self._close()

    def _close(self) -> None:
        if self.server is not None:
            self.server.close()
        if self.epmd_transport is not None:
            self.epmd_transport.close()


async def port_of(node: str, host: str, epmd_port: int) -> int:
    """Return the port of a node, from the epmd of its host.

    Raises:
        ErlangConnectionError: epmd does not run there, or does not know the node.
    """
    short_name, _, _ = node.partition("@")
    try:
        async with asyncio.timeout(EPMD_SECONDS):
            reader, writer = await asyncio.open_connection(host, epmd_port)
            try:
                writer.write(epmd.port_request(short_name))
                response = b""
                while len(response) < epmd.MAX_RESPONSE_BYTES:
                    part = await reader.read(epmd.MAX_RESPONSE_BYTES)
                    if not part:  # epmd closes the connection after the response
                        break
                    response += part
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        raise ErlangConnectionError(
            node, f"epmd at {host}:{epmd_port} does not answer: {error!r}"
        ) from error
    return epmd.port(response, node)
