"""Programs to observe, and requests to their observers."""

import asyncio
import importlib.util
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from beamish import DynamicSupervisor, GenServer, Pid, Registry, Supervisor, call, process
from beamish._snapshots.query import parse
from beamish._snapshots.recorder import Recorder
from beamish._snapshots.views import Views

PATIENCE = 50.0
TOKEN = "a-token-for-the-tests"


class Worker(GenServer, restart="transient"):
    """A server with a secret in its state."""

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.secret = "hunter2"
        self.waits = asyncio.Event()

    def format_status(self, status: dict[str, Any]) -> Any:
        return {**status, "state": {"number": self.number, "secret": "<hidden>"}}

    @call
    def add(self, by: int) -> int:
        self.number += by
        return self.number

    @call
    async def wait(self) -> None:
        await self.waits.wait()

    def handle_cast(self, request: object) -> None:
        raise ValueError(request)

    def handle_info(self, message: object) -> None:
        pass


class Employer(GenServer):
    """A server that starts servers of its own."""

    @call
    async def hire(self) -> Pid:
        return await Worker.start_link(9)

    @call
    def meet(self, other: Pid) -> None:
        process.link(other)


class Slow(GenServer, trap_exit=True):
    """A server that does not stop before a latch opens."""

    def __init__(self, latch: asyncio.Event) -> None:
        self.latch = latch

    async def terminate(self, _reason: object) -> None:
        await self.latch.wait()


WORKERS = "Test.Workers"
REGISTRY = "Test.Registry"


def shop(workers: int = 0) -> list[Any]:
    """Return a registry, a dynamic supervisor, and a supervisor of two."""
    return [
        Registry.child_spec(keys="unique", name=REGISTRY),
        DynamicSupervisor.child_spec(name=WORKERS, max_restarts=2, max_seconds=600.0),
        Supervisor.child_spec(
            [Worker.child_spec(1, name="first"), Worker.child_spec(2, name="second")],
            name="Test.Pair",
            max_restarts=5,
            max_seconds=600.0,
        ),
    ]


async def start_workers(count: int) -> list[Pid]:
    """Start workers with keys in the registry."""
    return [
        await DynamicSupervisor.start_child(
            WORKERS, Worker.child_spec(number, name=Registry.via(REGISTRY, f"order:{number}"))
        )
        for number in range(count)
    ]


async def read(view: str, recorder: Recorder | None = None, **parameters: str) -> Any:
    """Return a snapshot of a view."""
    used = recorder or Recorder()
    try:
        return await Views(used).read(view, parse(parameters))
    finally:
        if recorder is None:
            used.end()


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.001)


# -- Requests


class Answer(NamedTuple):
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@asynccontextmanager
async def sent(
    url: str, method: str, path: str, headers: dict[str, str]
) -> AsyncIterator[asyncio.StreamReader]:
    """Send a request to a URL, or to the socket at a path, and give its reader."""
    host = "localhost"
    if url.startswith("http"):
        host = url.removeprefix("http://").rstrip("/")
        name, _, port = host.rpartition(":")
        reader, writer = await asyncio.open_connection(name, int(port))
    else:
        reader, writer = await asyncio.open_unix_connection(url)
    lines = {"Host": host, "Connection": "close", "Content-Length": "0", **headers}
    head = "".join(f"{key}: {value}\r\n" for key, value in lines.items())
    writer.write(f"{method} /{path} HTTP/1.0\r\n{head}\r\n".encode())
    try:
        yield reader
    finally:
        writer.close()


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
    pairs = (line.split(": ", 1) for line in lines if line)
    return int(status.split()[1]), {name.lower(): value for name, value in pairs}


async def ask(url: str, path: str, method: str = "GET", **headers: str) -> Answer:
    """Send a request; in names of headers, ``_`` stands for ``-``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with asyncio.timeout(PATIENCE), sent(url, method, path, named) as reader:
        status, received = await _head(reader)
        return Answer(status, received, await reader.read())


async def act(url: str, pid: Pid, action: str, **headers: str) -> Answer:
    """Run an action as the page does."""
    confirmed = {"X_Beamish_Action": action, **headers}
    return await ask(url, f"api/process/{pid.serial}/{action}", "POST", **confirmed)


class Stream:
    """An open event stream."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    async def next(self) -> tuple[str, Any]:
        """Wait for the next event; ``("", None)`` at the end."""
        event = ""
        async with asyncio.timeout(PATIENCE):
            while line := (await self._reader.readline()).decode():
                field, _, value = line.rstrip("\n").partition(": ")
                if field == "event":
                    event = value
                elif field == "data":
                    return event, json.loads(value)
        return "", None


@asynccontextmanager
async def streaming(
    url: str, path: str, method: str = "GET", **headers: str
) -> AsyncIterator[Stream]:
    """Open an event stream."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with sent(url, method, path, named) as reader:
        async with asyncio.timeout(PATIENCE):
            status, _ = await _head(reader)
        assert status == 200
        yield Stream(reader)


# -- The browser


def _load_browser() -> Any:
    """Load the module that drives the browser in the tests of the tracker's dashboard."""
    tests = Path(__file__).parents[3] / "transaction-tracker" / "tests"
    path = tests / "browser" / "support.py"
    spec = importlib.util.spec_from_file_location("beamish_tests_browser", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def browser_running() -> Any:
    """Run a browser; a context manager."""
    return _load_browser().running()
