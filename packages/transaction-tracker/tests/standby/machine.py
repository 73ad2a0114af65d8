"""One of several machines: ``txtrack serve --standby`` as a program, with what it logs."""

import asyncio
import json
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import aiohttp

from ..cli.forked import CAN_FORK, Program, start  # noqa: TID252

PATIENCE = 200.0
# Longer than the least, which a machine that is busy with other tests could lose.
LEASE_SECONDS = 5.0

_PAUSE_SECONDS = 0.02


class Machine:
    """A machine that runs the program, at most once at a time.

    Args:
        name: Name of the machine, its public URL.
        database: URL of the database, as this machine reaches it.
        nodes: URLs of the nodes.
        flags: Further flags.

    Attributes:
        log: What all its programs have logged.
    """

    def __init__(
        self, name: str, database: str, nodes: Sequence[str], flags: Sequence[str] = ()
    ) -> None:
        self.name = name
        self.log: list[dict[str, Any]] = []
        settings = {
            "database.lease": f"{LEASE_SECONDS}s",
            "web.public_url": f"http://{name}.example",
            "source.poll_interval": "0.05s",
            "source.drop_after_blocks": "3",
            "source.drop_after_seconds": "0.3s",
            "webhooks.allow_private": '["127.0.0.1"]',
        }
        self._command = [
            *("serve", "--standby", "--port", "0"),
            *("--log-format", "json", "--database", database, "--chain-id", "31337"),
            *("--confirmations", "3"),
            *(flag for url in nodes for flag in ("--rpc", url)),
            *(flag for item in settings.items() for flag in ("--set", "=".join(item))),
            *flags,
        ]
        self._program: Program | None = None
        self._reader: asyncio.Task[None] | None = None
        self._http: aiohttp.ClientSession | None = None
        self.url: str | None = None
        self.is_frozen = False
        self._readiness: Any = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(force_close=True)
        timeout = aiohttp.ClientTimeout(total=5.0)
        self._http = aiohttp.ClientSession(connector=connector, timeout=timeout)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()
        assert self._http is not None
        await self._http.close()

    @property
    def is_up(self) -> bool:
        """Whether the program runs, or is frozen."""
        return self._program is not None

    async def start(self) -> None:
        """Start the program."""
        assert self._program is None
        self._program = await start(*self._command, stderr=asyncio.subprocess.PIPE)
        self._reader = asyncio.create_task(self._read(self._program))

    async def kill(self) -> None:
        """End the program with SIGKILL, if it runs."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int | None:
        """End the program with SIGTERM, and return its exit status."""
        return await self._end(signal.SIGTERM)

    async def freeze(self) -> None:
        """Suspend the program; return when it has stopped, which is later than the signal."""
        assert self._program is not None
        os.kill(self._program.pid, signal.SIGSTOP)
        if CAN_FORK:  # then it is not a child of this process, which could wait for it
            while not _is_stopped(self._program.pid):
                await asyncio.sleep(_PAUSE_SECONDS)
        else:
            await asyncio.to_thread(os.waitid, os.P_PID, self._program.pid, os.WSTOPPED)
        self.is_frozen = True

    def thaw(self) -> None:
        """Resume the program."""
        assert self._program is not None
        os.kill(self._program.pid, signal.SIGCONT)
        self.is_frozen = False

    async def request(
        self, method: str, path: str, **options: Any
    ) -> tuple[int, dict[str, str], Any]:
        """Send a request; the status is 0 if there is no response."""
        assert self._http is not None
        if self.url is None or self.is_frozen:
            return 0, {}, None
        try:
            async with self._http.request(method, self.url + path, **options) as reply:
                return reply.status, dict(reply.headers), await reply.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError):
            return 0, {}, None

    async def get(self, path: str) -> tuple[int, dict[str, str], Any]:
        """Send a GET request."""
        return await self.request("GET", path)

    async def is_ready(self) -> bool:
        """Return whether the service is the owner and works."""
        status, _, self._readiness = await self.get("/readyz")
        return status == 200

    async def until_ready(self) -> float:
        """Wait until the service is ready; return the seconds."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not await self.is_ready():
            assert self._program is not None
            status = self._program.returncode
            assert status is None, f"{self.name} ended with {status}:\n{self.tail()}"
            assert loop.time() - began < PATIENCE, f"{self.name} is not ready:\n{self.tail()}"
            await asyncio.sleep(_PAUSE_SECONDS)
        return loop.time() - began

    async def until_standby(self) -> None:
        """Wait until the program stands by for another one."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + PATIENCE
        while True:
            status, _, problem = await self.get("/readyz")
            if status == 503 and "is the owner" in problem["detail"]:
                return
            assert loop.time() < give_up, f"{self.name} does not stand by:\n{self.tail()}"
            await asyncio.sleep(_PAUSE_SECONDS)

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Return the lines of an event, of all its programs."""
        return [line for line in self.log if line["event"] == event]

    def tail(self) -> str:
        """Return its last lines, and its last response about its readiness."""
        lines = [line for line in self.log if line["event"] != "request"]
        return "\n".join(str(line)[:500] for line in (*lines[-20:], self._readiness))

    async def _end(self, number: signal.Signals) -> int | None:
        if self._program is None:
            return None
        program, self._program, self.url = self._program, None, None
        with suppress(ProcessLookupError):
            program.send_signal(number)
        if self.is_frozen:
            with suppress(ProcessLookupError):
                program.send_signal(signal.SIGCONT)
            self.is_frozen = False
        async with asyncio.timeout(PATIENCE):
            status = await program.wait()
        assert self._reader is not None
        await self._reader
        return status

    async def _read(self, program: Program) -> None:
        assert program.stderr is not None
        async for line in program.stderr:
            fact = json.loads(line) if line.startswith(b"{") else {"event": line.decode()}
            self.log.append(fact)
            if fact["event"] == "listening" and program is self._program:
                self.url = fact["url"]


def _is_stopped(pid: int) -> bool:
    """Return whether all threads of a program are suspended."""
    try:
        stats = [stat.read_text() for stat in Path(f"/proc/{pid}/task").glob("*/stat")]
    except OSError:  # a thread has just ended, so not all are suspended
        return False
    return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)
