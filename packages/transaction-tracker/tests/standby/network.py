"""A network of its own to a PostgreSQL server, which can be cut as a switch or a firewall cuts it.

The server is reached through a network namespace. When it is cut, packets are dropped without an
answer: the kernels of both ends acknowledge nothing, unlike those of the proxy in ``silence``. A
lossy network loses, delays and reorders packets all the time.
"""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ..postgres import Postgres  # noqa: TID252

LOSSY = Path(__file__).parents[4] / "tools" / "lossy"

_PORT = 5432
# Packets overtake each other, and one of a hundred is lost.
_FAULTS = ("--delay", "0.001", "0.01", "--loss", "0.01")
# Passes connections of the namespace to the server, whose socket is in the file system.
_FORWARD = """
import asyncio, sys
host, port, path = sys.argv[1:]
async def copy(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
async def connect(reader, writer):
    there, back = await asyncio.open_unix_connection(path)
    await asyncio.gather(copy(reader, back), copy(there, writer))
async def main():
    server = await asyncio.start_server(connect, host, int(port))
    print("ready", flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


@dataclass(frozen=True, slots=True)
class Network:
    """A network to the server.

    Attributes:
        namespace: Name of the namespace.
        here: Address of this end.
        there: Address of the end in the namespace.
    """

    namespace: str
    here: str
    there: str

    def url(self, direct: str) -> str:
        """Return the URL of a database through the network."""
        name = direct.partition("@/")[2].partition("?")[0]
        return f"postgresql://postgres@{self.there}:{_PORT}/{name}"

    def fall_silent(self) -> None:
        """Cut the network: packets are dropped in both directions, without an answer."""
        _ip("-n", self.namespace, "route", "add", "blackhole", f"{self.here}/32")

    def speak(self) -> None:
        """Mend the network."""
        _ip("-n", self.namespace, "route", "del", "blackhole", f"{self.here}/32")


@asynccontextmanager
async def network_to(postgres: Postgres) -> AsyncIterator[Network]:
    """Make a network to a server, or skip the test where that needs rights that it lacks."""
    with _namespace() as network:
        here, there = _devices()
        # Its end of the pair goes with the namespace, and the pair with that end.
        _ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", network.namespace)
        _set_up(network)
        async with _forwarding(network, postgres):
            yield network


@asynccontextmanager
async def lossy_network_to(postgres: Postgres, seed: object) -> AsyncIterator[Network]:
    """Make a network that loses, delays and reorders packets, or skip the test as `network_to`."""
    if not Path("/dev/net/tun").exists():
        pytest.skip("no /dev/net/tun: modprobe tun")
    with _namespace() as network:
        here, there = _devices()
        places = (f":{here}", f"{network.namespace}:{there}")
        command = (sys.executable, LOSSY, *_FAULTS, "--seed", str(seed), *places)
        async with _running(*command):
            _set_up(network)
            async with _forwarding(network, postgres):
                yield network


@contextmanager
def _namespace() -> Iterator[Network]:
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need Linux, root and the program ip")
    # By the process id: several test runs can have networks at the same time.
    number = os.getpid()
    subnet = f"10.{200 + number % 50}.{number // 50 % 250}"
    network = Network(f"txtrack{number}", f"{subnet}.1", f"{subnet}.2")
    try:
        _ip("netns", "add", network.namespace)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespaces here: {error.stderr.strip()}")
    try:
        yield network
    finally:
        _ip("netns", "del", network.namespace)


def _devices() -> tuple[str, str]:
    return f"tx{os.getpid()}", f"ty{os.getpid()}"


def _set_up(network: Network) -> None:
    here, there = _devices()
    _ip("address", "add", f"{network.here}/30", "dev", here)
    _ip("link", "set", here, "up")
    _ip("-n", network.namespace, "address", "add", f"{network.there}/30", "dev", there)
    _ip("-n", network.namespace, "link", "set", there, "up")


@asynccontextmanager
async def _forwarding(network: Network, postgres: Postgres) -> AsyncIterator[None]:
    path = str(postgres.folder / f".s.PGSQL.{_PORT}")
    program = (sys.executable, "-c", _FORWARD, network.there, str(_PORT), path)
    async with _running("ip", "netns", "exec", network.namespace, *program):
        yield


@asynccontextmanager
async def _running(*command: str | Path) -> AsyncIterator[None]:
    """Run a program that says when it is ready."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"ready\n"
        yield
    finally:
        process.kill()
        await process.wait()


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
