"""``txtrack`` as a program, and a node."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from transaction_tracker.api import WEB, Web, WebOptions
from transaction_tracker.cli import main
from transaction_tracker.service import Settings, TransactionTrackerApplication
from txtrack_devnode import Chain, DevelopmentNode

from .forked import start


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


Txtrack = Callable[..., Awaitable[Ran]]
Command = Callable[..., Awaitable[Ran]]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.upper().startswith("TXTRACK"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def txtrack() -> Txtrack:
    async def run(*arguments: str, fresh: bool = False) -> Ran:
        process = await start(
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            fresh=fresh,
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        return Ran(process.returncode, out.decode(), err.decode())

    return run


@pytest.fixture
async def node() -> AsyncIterator[DevelopmentNode]:
    async with DevelopmentNode(chain=Chain(accounts=4), block_time=0.1) as running:
        yield running


@pytest.fixture
async def service(
    node: DevelopmentNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[str]:
    """A service that follows the node; the commands find it."""
    settings = Settings(
        node.url,
        confirmations=2,
        database=tmp_path / "service.db",
        poll_interval=0.02,
        web=WebOptions(port=0),
        allow_private=("127.0.0.0/8",),
    )
    async with TransactionTrackerApplication(settings):
        url = await Web.url(WEB)
        monkeypatch.setenv("TXTRACK_URL", url)
        yield url


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """A command beside the service, in a thread of its own: no program has to start for it."""

    async def run(*arguments: str) -> Ran:
        capsys.readouterr()
        status = await asyncio.to_thread(main, arguments)
        printed = capsys.readouterr()
        return Ran(status, printed.out, printed.err)

    return run
