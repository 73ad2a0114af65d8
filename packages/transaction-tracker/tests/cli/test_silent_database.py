"""A service whose PostgreSQL server accepts connections but does not respond."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from txtrack_devnode import DevelopmentNode

from ..postgres import Postgres  # noqa: TID252
from ..silence import Line, line_to  # noqa: TID252
from .forked import Program, start
from .program import SECONDS, serving

pytestmark = pytest.mark.postgres

# `deploy/txtrack.service` gives it 60 s.
STOP_SECONDS = 40.0


@pytest.fixture
async def line(postgres: Postgres) -> AsyncIterator[Line]:
    async with line_to(postgres) as line:
        yield line


@pytest.fixture
def url(postgres: Postgres, line: Line) -> Iterator[str]:
    with postgres.database() as direct:
        yield line.url(direct)


async def test_sigterm_stops_a_service_with_a_silent_database(
    node: DevelopmentNode, line: Line, url: str
) -> None:
    async with (
        serving("--rpc", node.url, "--database", url) as (process, fact),
        aiohttp.ClientSession() as http,
    ):
        line.fall_silent()
        async with asyncio.timeout(SECONDS):
            await line.heard.wait()  # a block is being stored
        body = {"id": "0x" + "1" * 64}
        request = asyncio.create_task(http.post(f"{fact['url']}/v1/transactions", json=body))
        await asyncio.sleep(0)

        process.send_signal(signal.SIGTERM)
        _, err = await ended(process)
        await asyncio.wait((request,))

    assert process.returncode == 0
    events = [json.loads(line)["event"] for line in err.splitlines()]
    assert any("cutting off its connection" in event for event in events), events


async def test_sigterm_stops_a_start_with_a_silent_database(
    node: DevelopmentNode, line: Line, url: str
) -> None:
    line.fall_silent()
    process = await start(
        *("serve", "--port", "0", "--log-format", "json", "--rpc", node.url, "--database", url),
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(SECONDS):
        await line.heard.wait()

    process.send_signal(signal.SIGTERM)
    await ended(process)

    assert process.returncode == 0


async def ended(process: Program) -> tuple[bytes, bytes]:
    """Wait for the end of a program, and return what it wrote; kill it if it does not end."""
    ending = asyncio.create_task(process.communicate())
    _, pending = await asyncio.wait((ending,), timeout=STOP_SECONDS)
    if pending:
        process.kill()
    written = await ending
    assert not pending, "the program did not end"
    return written
