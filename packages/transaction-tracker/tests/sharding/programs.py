"""Shards, a router and a service without shards, as programs on one machine."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp

from transaction_tracker.domain.sharding import ShardMap

from ..cli.forked import Program, start  # noqa: TID252
from ..listening import free_port  # noqa: TID252

PATIENCE = 100.0
_PAUSE_SECONDS = 0.02


class Served:
    """A program ``txtrack`` that serves HTTP at an address of its own, at most once at a time.

    Args:
        command: Its command line, without the address.

    Attributes:
        url: Its URL.
        log: Lines of its log.
    """

    def __init__(self, *command: str) -> None:
        self._port = free_port()
        self._command = (*command, "--port", str(self._port), "--log-format", "json")
        self._program: Program | None = None
        self._reader: asyncio.Task[None] | None = None
        self._http: aiohttp.ClientSession | None = None
        self.url = f"http://127.0.0.1:{self._port}"
        self.log: list[dict[str, Any]] = []

    def with_flag(self, flag: str) -> Self:
        """Add a flag, and return the program."""
        self._command = (*self._command, flag)
        return self

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        connector = aiohttp.TCPConnector(force_close=True)
        self._http = aiohttp.ClientSession(timeout=timeout, connector=connector)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end(signal.SIGKILL)
        assert self._http is not None
        await self._http.close()

    async def start(self) -> Self:
        """Start the program, and wait until it responds."""
        self._program = await start(*self._command, stderr=asyncio.subprocess.PIPE)
        self._reader = asyncio.create_task(self._read(self._program))
        async with asyncio.timeout(PATIENCE):
            while (await self.ask("GET", "/healthz"))[0] != 200:
                assert not self._reader.done(), self.tail()
                await asyncio.sleep(_PAUSE_SECONDS)
        return self

    async def end(self, number: signal.Signals) -> int | None:
        """End the program by a signal, and return its exit status."""
        if self._program is None:
            return None
        program, self._program = self._program, None
        with suppress(ProcessLookupError):
            program.send_signal(number)
        async with asyncio.timeout(PATIENCE):
            status = await program.wait()
        assert self._reader is not None
        await self._reader
        return status

    async def ask(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        """Send a request; the status is 0 if there is no response."""
        status, _, content = await self.exchange(method, path, **options)
        return status, content

    async def exchange(
        self, method: str, path: str, **options: Any
    ) -> tuple[int, dict[str, str], Any]:
        """Send a request; return status, headers and content."""
        assert self._http is not None
        try:
            async with self._http.request(method, self.url + path, **options) as reply:
                body = await reply.read()
        except (aiohttp.ClientError, TimeoutError):
            return 0, {}, None
        with suppress(ValueError):
            return reply.status, dict(reply.headers), json.loads(body)
        return reply.status, dict(reply.headers), body.decode()

    async def get(self, path: str) -> Any:
        """Send a GET request that succeeds, and return its content."""
        status, content = await self.ask("GET", path)
        assert status == 200, (path, status, content)
        return content

    async def until(self, path: str, condition: Any) -> Any:
        """Request a path until its content fulfils a condition, and return it."""
        async with asyncio.timeout(PATIENCE):
            while True:
                status, content = await self.ask("GET", path)
                if condition(status, content):
                    return content
                await asyncio.sleep(_PAUSE_SECONDS)

    @asynccontextmanager
    async def stream(self, path: str, **headers: str) -> AsyncIterator[aiohttp.StreamReader]:
        """Open an event stream."""
        assert self._http is not None
        async with self._http.get(self.url + path, headers=headers) as reply:
            assert reply.status == 200, await reply.read()
            yield reply.content

    def tail(self) -> str:
        """Return the last lines of its log."""
        return "\n".join(str(line)[:500] for line in self.log[-20:])

    async def _read(self, program: Program) -> None:
        assert program.stderr is not None
        async for line in program.stderr:
            self.log.append(json.loads(line) if line.startswith(b"{") else {"event": line.decode()})


@dataclass
class ShardedService:
    """A service of several shards behind a router, and a service without shards.

    Attributes:
        shards: The shards.
        router: The router.
        whole: The service without shards.
    """

    shards: list[Served]
    router: Served
    whole: Served
    map: ShardMap = field(default_factory=lambda: ShardMap((4,)))

    async def both(self, method: str, path: str, **options: Any) -> tuple[Any, Any]:
        """Send a request to the router, and to the service without shards."""
        mine = await self.router.ask(method, path, **options)
        return mine, await self.whole.ask(method, path, **options)


def flags(**settings: object) -> list[str]:
    """Return the flags that set options, with ``__`` for the dot."""
    named = ((name.replace("__", "."), value) for name, value in settings.items())
    return [text for name, value in named for text in ("--set", f"{name}={value}")]


def service(nodes: Sequence[str], database: str, **settings: object) -> Served:
    """Return a service that follows nodes."""
    common = {
        "source__poll_interval": '"0.05s"',
        "source__chain_id": 31337,
        "source__confirmations": 3,
        "webhooks__allow_private": '["127.0.0.1"]',
    }
    return Served(
        *("serve", "--database", database),
        *(flag for url in nodes for flag in ("--rpc", url)),
        *flags(**common, **settings),
    )


def router(shards: Sequence[Sequence[str]], **settings: object) -> Served:
    """Return a router in front of shards."""
    return Served("route", *flags(router__shards=json.dumps(shards), **settings))


@asynccontextmanager
async def sharded(
    nodes: Sequence[str], database: str, whole: str, count: int = 4
) -> AsyncIterator[ShardedService]:
    """Run a sharded service, its router, and a service without shards."""
    async with AsyncExitStack() as stack:
        shards = [
            service(nodes, database, shard__number=number, shard__count=count)
            for number in range(count)
        ]
        running = ShardedService(
            shards, router([[each.url] for each in shards]), service(nodes, whole)
        )
        programs = [*shards, running.whole, running.router]
        for program in programs:
            await stack.enter_async_context(program)
        await asyncio.gather(*(program.start() for program in programs[:-1]))
        for program in programs[:-1]:
            await program.until("/readyz", lambda status, _: status == 200)
        await running.router.start()
        yield running
