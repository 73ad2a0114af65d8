"""The servers of the cluster's tests: other hosts import this module."""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

from beamish import (
    Application,
    Backoff,
    ChildSpec,
    ExitError,
    Fail,
    From,
    GenServer,
    Pid,
    Stop,
    call,
    cast,
    process,
)
from beamish.cluster import Cluster, ClusterDynamicSupervisor, ClusterRegistry
from beamish.testing.cluster import SimulatedCluster

ACCOUNTS = "accounts"
SUPERVISOR = "account supervisor"


class RefusedError(Exception):
    """An error that a server refuses a request with."""


class Account(GenServer, restart="transient"):
    """A server with every kind of request."""

    terminated: ClassVar[list[Any]] = []

    def __init__(self, key: str, opened: int = 0) -> None:
        self.key = key
        self.count = opened
        self.notes: list[Any] = []
        self.froms: list[From] = []

    @staticmethod
    def via(key: str) -> Any:
        return ClusterRegistry.via(ACCOUNTS, key)

    @classmethod
    async def open(cls, key: str, **options: Any) -> Pid:
        spec = cls.child_spec(key, name=cls.via(key), **options)
        return await ClusterDynamicSupervisor.start_child(SUPERVISOR, spec)

    @call
    def add(self, by: int = 1) -> int:
        self.count += by
        return self.count

    @call
    def where(self) -> tuple[str, int, int]:
        fence = Cluster.fence()
        return self.key, fence.shard, fence.epoch

    @call
    def me(self) -> Pid:
        return self.pid

    @call
    def caller(self, *, from_: From) -> Any:
        return from_.pid

    @call
    async def slow(self, seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "slept"

    @call
    async def add_at(self, key: str) -> int:
        return await Account.add(Account.via(key))

    @call
    async def call_back(self, pid: Pid) -> Any:
        return await Account.add(pid)

    @call
    def refuse(self) -> int:
        return Fail(RefusedError("no"))  # type: ignore[return-value]

    @call
    def crash(self) -> None:
        raise ValueError("boom")

    @call
    def end(self) -> str:
        return Stop("normal", "bye")  # type: ignore[return-value]

    @call
    def all_notes(self) -> list[Any]:
        return self.notes

    @call
    def os_pid(self) -> int:
        return os.getpid()

    @call
    def block(self, seconds: float) -> None:
        time.sleep(seconds)

    @call
    def kill_supervisor(self) -> None:
        pid = process.whereis(SUPERVISOR)
        assert pid is not None
        process.exit(pid, "kill")

    def terminate(self, reason: Any) -> None:
        self.terminated.append(reason)

    @call
    def unpicklable(self) -> Any:
        return lambda: None

    @cast
    def note(self, value: Any) -> None:
        self.notes.append(value)

    @cast
    def tell(self, pid: Pid, value: Any) -> None:
        process.send(pid, (value, self.pid))

    def handle_info(self, message: Any) -> None:
        self.notes.append(message)


class Fragile(GenServer):
    """A server whose ``init`` can fail."""

    broken: ClassVar[bool] = False

    def __init__(self, fails: bool) -> None:
        self.fails = fails

    def init(self) -> None:
        if self.fails or self.broken:
            raise ValueError("fragile")

    @classmethod
    async def open(cls, key: str, *, fails: bool) -> Pid:
        spec = cls.child_spec(fails, name=Account.via(key))
        return await ClusterDynamicSupervisor.start_child(SUPERVISOR, spec)


given_up: list[tuple[Any, ...]] = []


def on_give_up(spec: ChildSpec, pid: Pid, reason: Any) -> None:
    given_up.append((spec.args, repr(reason)))


class Clock(GenServer):
    """A server that acts by itself, and records when and in which epoch."""

    ticks: ClassVar[list[tuple[float, int]]] = []
    now: ClassVar[Callable[[], float]] = time.time
    # A host is another program, whose ticks a test reads here.
    file: ClassVar[str | None] = os.environ.get("BEAMISH_TEST_CLOCK")

    def init(self) -> None:
        self.handle_info("tick")

    def handle_info(self, message: Any) -> None:
        now, epoch = type(self).now(), Cluster.fence().epoch
        self.ticks.append((now, epoch))
        if self.file is not None:
            with Path(self.file).open("a") as file:
                file.write(f"{now} {epoch}\n")
        process.send_after(self.pid, "tick", 0.1)

    @classmethod
    async def open(cls, key: str) -> Pid:
        spec = cls.child_spec(name=Account.via(key))
        return await ClusterDynamicSupervisor.start_child(SUPERVISOR, spec)


class Session(GenServer, restart="transient", shutdown=1.0):
    """A server whose state moves with its shard."""

    received: ClassVar[list[tuple[str, bytes | None]]] = []
    hangs: ClassVar[bool] = False

    def __init__(self, key: str) -> None:
        self.key = key
        self.items: list[Any] = []

    def init(self, *, handoff: bytes | None = None) -> None:
        self.received.append((self.key, handoff))
        if handoff is not None:
            self.items = json.loads(handoff)
            if "poison" in self.items:
                raise ValueError("poison")

    @classmethod
    async def open(cls, key: str) -> Pid:
        spec = cls.child_spec(key, name=Account.via(key))
        return await ClusterDynamicSupervisor.start_child(SUPERVISOR, spec)

    @call
    def add(self, item: Any) -> list[Any]:
        self.items.append(item)
        return self.items

    @call
    def crash(self) -> None:
        raise ValueError("boom")

    async def terminate(self, reason: Any) -> None:
        if self.hangs:
            await asyncio.sleep(1000)
        self.items.append("terminated")

    def handoff(self) -> bytes | None:
        assert process.current() is self.pid
        assert Cluster.fence().epoch > 0
        match self.items[0] if self.items else None:
            case "nothing":
                return None
            case "raise":
                raise ValueError("cannot hand over")
            case "text":
                return "text"  # type: ignore[return-value]
            case "large":
                return bytes(256 * 1024 + 1)
        return json.dumps(self.items).encode()


class Parent(GenServer):
    """A server that starts another one in its ``init``; both can take a state."""

    def __init__(self, key: str) -> None:
        self.key = key

    async def init(self, *, handoff: bytes | None = None) -> None:
        Session.received.append((self.key, handoff))
        await Session.start_link("child")

    def handoff(self) -> bytes:
        return b"of the parent"

    @classmethod
    async def open(cls, key: str) -> Pid:
        spec = cls.child_spec(key, name=Account.via(key))
        return await ClusterDynamicSupervisor.start_child(SUPERVISOR, spec)


class Bank(Application):
    """Declares the registry and the supervisor."""

    def __init__(self, **options: Any) -> None:
        self.options = options

    def children(self) -> list[Any]:
        return [
            ClusterRegistry.child_spec(name=ACCOUNTS),
            ClusterDynamicSupervisor.child_spec(name=SUPERVISOR, **self.options),
        ]


@asynccontextmanager
async def bank(cluster: SimulatedCluster, **options: Any) -> Any:
    """Join the cluster with the application running."""
    async with cluster.join() as joined, Bank(**options):
        yield joined


def backoff() -> Backoff:
    return Backoff(initial=1.0, jitter=0.0)


async def answer(request: Callable[[], Awaitable[Any]]) -> Any:
    """Return the result of ``request()``, tried again while its host is being replaced."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await request()
            except ExitError as error:
                if error.reason not in ("noconnection", "timeout"):
                    raise


async def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for a condition, on the virtual clock."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.05)
