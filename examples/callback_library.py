"""A library that calls back, wrapped by a GenServer: here asyncio's own datagram protocol.

The callbacks do nothing but send; the server handles one message after another, and closes the
socket however it ends.

Run it: ``python examples/callback_library.py``
"""

import asyncio
import socket
from dataclasses import dataclass

from beamish import GenServer, Pid, Supervisor, call, process, run

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Datagram:
    """Something has come from ``sender``."""

    data: bytes
    sender: Address


class Callbacks(asyncio.DatagramProtocol):
    """What the library calls: each callback becomes a message."""

    def __init__(self, pid: Pid) -> None:
        self.pid = pid

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Pass it on; a dead process drops it."""
        process.send(self.pid, Datagram(data, addr))

    def connection_lost(self, exc: Exception | None) -> None:
        """A socket that fails is a crash, so that the supervisor opens another."""
        if exc is not None:
            process.exit(self.pid, exc)


class Echo(GenServer):
    """Sends back what comes, in capitals, and counts it."""

    def __init__(self) -> None:
        self.count = 0

    async def init(self) -> None:
        """Open the socket; who starts this waits for it."""
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(
            lambda: Callbacks(self.pid), local_addr=("127.0.0.1", 0)
        )

    @call
    def address(self) -> Address:
        """Where it listens."""
        found: Address = self.transport.get_extra_info("sockname")
        return found

    def handle_info(self, message: object) -> None:
        """Answer a datagram."""
        match message:
            case Datagram(b"crash", _):
                raise ValueError("told to crash")
            case Datagram(data, sender):
                self.count += 1
                self.transport.sendto(data.upper() + b" %d" % self.count, sender)
            case _:
                super().handle_info(message)

    def terminate(self, reason: object) -> None:
        """Close the socket, also after a crash."""
        self.transport.close()


async def ask(question: bytes) -> bytes:
    """Send a datagram to the server, and wait for its answer."""
    loop = asyncio.get_running_loop()
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        client.connect(await Echo.address("echo"))
        await loop.sock_sendall(client, question)
        return await loop.sock_recv(client, 1024)


async def main() -> None:
    async with Supervisor.running([Echo.child_spec(name="echo")]):
        print((await ask(b"hello")).decode())
        print((await ask(b"hello again")).decode())


if __name__ == "__main__":
    run(main())
