"""``txtrack serve`` as a program, with a configuration file and a log in JSON."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..tracker.anvil import Twin  # noqa: TID252 - the one way to run an anvil

PATIENCE = 200.0
STOP_SECONDS = 50.0
CONFIRMATIONS = 3

CONFIG = """
[database]
url = "{database}"
[source]
chain_id = 31337
confirmations = {confirmations}
poll_interval = "0.05s"
drop_after_blocks = 2
drop_after_seconds = "0.2s"
[web]
port = 0
[webhooks]
allow_private = ["127.0.0.0/8"]
[logs]
format = "json"
"""
PROVIDER = """
[[providers]]
url = "{url}"
ws_url = "{ws_url}"
deadline = "0.5s"
"""


def configured(folder: Path, nodes: Sequence[Twin], database: str) -> Path:
    """Write a configuration file."""
    text = CONFIG.format(database=database, confirmations=CONFIRMATIONS)
    for node in nodes:
        text += PROVIDER.format(url=node.url, ws_url=node.url.replace("http", "ws"))
    path = folder / "txtrack.toml"
    path.write_text(text)
    return path


@dataclass
class Program:
    """A running service.

    Attributes:
        process: Process of the service.
        url: URL of the API.
        log: Lines of the log so far.
    """

    process: asyncio.subprocess.Process
    url: str
    log: list[dict[str, Any]] = field(default_factory=list)

    async def read(self) -> None:
        """Read the log until the end of the process."""
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.log.append(json.loads(line))

    def told(self, words: str) -> list[dict[str, Any]]:
        """Return the lines of the log that contain a text."""
        return [one for one in self.log if words in one["event"]]

    async def stop(self) -> int:
        """Stop the service, and return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(STOP_SECONDS):
            return await self.process.wait()


@asynccontextmanager
async def serving(config: Path) -> AsyncIterator[Program]:
    """Run the service while the block runs; kill it at the end if it has not been stopped."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "transaction_tracker", "serve", "--config", str(config)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        program = Program(process, await _url(process))
        reader = asyncio.create_task(program.read())
        yield program
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    await reader


async def _url(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    said = []
    try:
        async with asyncio.timeout(PATIENCE):
            async for line in process.stderr:
                said.append(line)
                fact = json.loads(line)
                if fact["event"] == "the service is running":
                    return str(fact["url"])
    except TimeoutError:
        raise AssertionError(f"the service does not start: {said}") from None
    raise AssertionError(f"the service ended: {said}")
