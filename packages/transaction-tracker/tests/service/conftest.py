"""A complete service: two real nodes, a configuration file, a receiver of webhooks."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from transaction_tracker.cli import main

from ..tracker.anvil import twin  # noqa: TID252 - the one way to run an anvil
from .client import Client
from .network import GENESIS, Network
from .program import Program, configured, serving
from .receiver import Receiver, receiving


@dataclass(frozen=True)
class Ran:
    """The result of a command."""

    status: int
    out: str
    err: str

    @property
    def documents(self) -> list[Any]:
        """The output, parsed as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def document(self) -> Any:
        """The output, parsed as one JSON document."""
        return json.loads(self.out)


Txtrack = Callable[..., Awaitable[Ran]]
Command = Callable[..., Awaitable[Ran]]


@dataclass
class World:
    """Nodes, receiver and service; ``program`` and ``client`` change at a restart."""

    network: Network
    receiver: Receiver
    config: Path
    program: Program
    client: Client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    tmp_path_factory: pytest.TempPathFactory, session: aiohttp.ClientSession
) -> AsyncIterator[World]:
    """Return a service on SQLite with two nodes, shared by the tests of a module."""
    folder = tmp_path_factory.mktemp("service")
    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(twin(GENESIS)) for _ in range(2)]
        receiver = await stack.enter_async_context(receiving())
        config = configured(folder, nodes, str(folder / "service.db"))
        program = await stack.enter_async_context(serving(config))
        yield World(Network(nodes), receiver, config, program, Client(program.url, session))


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Return a function that runs a command in a thread, without a new process."""
    for name in os.environ:
        if name.upper().startswith("TXTRACK"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    async def run(service: Program, *arguments: str) -> Ran:
        monkeypatch.setenv("TXTRACK_URL", service.url)
        capsys.readouterr()
        status = await asyncio.to_thread(main, arguments)
        printed = capsys.readouterr()
        return Ran(status, printed.out, printed.err)

    return run


@pytest.fixture
def txtrack(world: World, command: Command) -> Txtrack:
    """Return a function that runs a command with the shared service."""

    async def run(*arguments: str) -> Ran:
        return await command(world.program, *arguments)

    return run
