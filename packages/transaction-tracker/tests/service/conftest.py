"""A service as a user has it: two real nodes, a configuration file, a receiver of webhooks."""

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
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def documents(self) -> list[Any]:
        """What was printed as JSON lines."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def document(self) -> Any:
        """What was printed as one JSON document."""
        return json.loads(self.out)


Txtrack = Callable[..., Awaitable[Ran]]
Command = Callable[..., Awaitable[Ran]]


@dataclass
class World:
    """All of it; the service is another process after each restart."""

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
    """A service on SQLite, with two nodes: one for all tests of a module, to start it once."""
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
    """A command in a thread of its own: no program has to start for it."""
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
    """A command for the service that the tests share."""

    async def run(*arguments: str) -> Ran:
        return await command(world.program, *arguments)

    return run
