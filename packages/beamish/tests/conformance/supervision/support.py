"""Servers and waits that the supervision tests share.

A test waits for a message, never for time: its servers tell it when they start and when they
stop, and every wait gives up after ``PATIENCE`` so that a lost message is a failure, not a hang.
"""

import asyncio
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from beamish import (
    IGNORE,
    BeamishError,
    ChildInfo,
    ChildSpec,
    Down,
    DynamicSupervisor,
    ExitError,
    GenServer,
    Pid,
    Ref,
    Stop,
    Supervisor,
    call,
    cast,
    process,
)

PATIENCE = 50.0
MANY = 10**9  # a restart limit that no test reaches

Message = TypeVar("Message")


class CrashError(Exception):
    """What the servers of these tests raise."""


@dataclass(frozen=True, slots=True)
class Started:
    """``tag`` runs its ``__init__``, as ``pid``."""

    tag: Hashable
    pid: Pid


@dataclass(frozen=True, slots=True)
class Stopped:
    """``tag`` runs its ``terminate``."""

    tag: Hashable
    reason: object


class Worker(GenServer):
    """Tells ``report`` when it starts and stops, and ends in any way it is asked to."""

    def __init__(self, tag: Hashable = "worker", report: Pid | None = None) -> None:
        self.tag = tag
        self.report = report
        self.tell(Started(tag, self.pid))

    def tell(self, message: object) -> None:
        if self.report is not None:
            process.send(self.report, message)

    @call
    def ping(self) -> Hashable:
        return self.tag

    @call
    def crash(self, text: str = "boom") -> None:
        raise CrashError(text)

    @cast
    def crash_later(self, text: str = "boom") -> None:
        raise CrashError(text)

    @cast
    def finish(self, reason: object = "normal") -> Stop:
        return Stop(reason)

    def terminate(self, reason: object) -> None:
        self.tell(Stopped(self.tag, reason))


class AsyncWorker(Worker):
    """The same with callbacks that really suspend."""

    async def init(self) -> None:
        await asyncio.sleep(0)

    @call
    async def ping(self) -> Hashable:
        await asyncio.sleep(0)
        return self.tag

    @call
    async def crash(self, text: str = "boom") -> None:
        await asyncio.sleep(0)
        raise CrashError(text)

    @cast
    async def crash_later(self, text: str = "boom") -> None:
        await asyncio.sleep(0)
        raise CrashError(text)

    @cast
    async def finish(self, reason: object = "normal") -> Stop:
        await asyncio.sleep(0)
        return Stop(reason)

    async def terminate(self, reason: object) -> None:
        await asyncio.sleep(0)
        super().terminate(reason)


class Scripted(Worker):
    """Starts as ``script`` says, one entry a start: ``"ok"``, ``"raise"`` or ``"ignore"``.

    The list is shared by all its starts. When it is used up, starts succeed.
    """

    def __init__(self, tag: Hashable, report: Pid | None, script: list[str]) -> None:
        super().__init__(tag, report)
        self.script = script

    def init(self) -> object:
        match self.script.pop(0) if self.script else "ok":
            case "raise":
                raise CrashError(f"{self.tag} cannot start")
            case "ignore":
                return IGNORE
        return None


class AsyncScripted(Scripted):
    """The same with an ``init`` that really suspends."""

    async def init(self) -> object:
        await asyncio.sleep(0)
        return super().init()


class Gated(Worker):
    """Its ``init`` waits until ``gate`` is set."""

    def __init__(self, tag: Hashable, report: Pid | None, gate: asyncio.Event) -> None:
        super().__init__(tag, report)
        self.gate = gate

    async def init(self) -> None:
        await self.gate.wait()


class SlowToStop(Worker):
    """Its ``terminate`` waits until ``gate`` is set."""

    def __init__(self, tag: Hashable, report: Pid | None, gate: asyncio.Event) -> None:
        super().__init__(tag, report)
        self.gate = gate

    async def terminate(self, reason: object) -> None:
        super().terminate(reason)
        await self.gate.wait()


class Busy(Worker):
    """Has a call that suspends until ``gate`` is set."""

    def __init__(self, tag: Hashable, report: Pid | None, gate: asyncio.Event) -> None:
        super().__init__(tag, report)
        self.gate = gate

    @call
    async def work(self) -> str:
        self.tell("working")
        await self.gate.wait()
        return "done"


class Actor(GenServer):
    """Runs what the test gives it, so that another process than the test does it."""

    @call
    def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What ``function`` returns, or the error it raises."""
        try:
            return function(*args, **kwargs)
        except BeamishError as error:
            return error


async def expect(kind: type[Message], **facts: object) -> Message:
    """Wait for the next message of ``kind`` whose attributes are ``facts``."""

    def matches(message: object) -> bool:
        return isinstance(message, kind) and all(
            getattr(message, fact) == value for fact, value in facts.items()
        )

    return await process.receive(timeout=PATIENCE, match=matches)


async def started(tag: Hashable) -> Pid:
    """Wait until ``tag`` has started, whether its ``init`` suspends or not; its pid."""
    pid = (await expect(Started, tag=tag)).pid
    await settle()
    return pid


async def stopped(tag: Hashable) -> object:
    """Wait until ``tag`` runs ``terminate``; the reason it was given."""
    return (await expect(Stopped, tag=tag)).reason


async def down(ref: Ref) -> object:
    """Wait until the monitored process is gone; its reason."""
    return (await expect(Down, ref=ref)).reason


async def message(text: str) -> None:
    """Wait for the message ``text``."""
    await process.receive(timeout=PATIENCE, match=lambda m: isinstance(m, str) and m == text)


async def settle() -> None:
    """Wait until nothing can run without time passing."""
    for _ in range(250):
        await asyncio.sleep(0)


async def until(condition: Callable[[], object]) -> None:
    """Run the event loop until ``condition`` holds; fail if it never does."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0)


async def seconds(duration: float) -> None:
    """Wait for a timer message: for rules that are about time themselves."""
    ref = process.send_after(process.current(), ("over", duration), duration)
    await process.receive(timeout=PATIENCE, match=lambda m: m == ("over", duration))
    assert process.read_timer(ref) is None


async def mailbox() -> list[object]:
    """Everything that waits in the test's mailbox, once all is quiet."""
    await settle()
    found = []
    while True:
        try:
            found.append(await process.receive(timeout=0))
        except TimeoutError:
            return found


async def crash(pid: Pid, text: str = "boom") -> None:
    """Make a ``Worker`` crash while the test waits for its answer."""
    with pytest.raises(ExitError):
        await Worker.crash(pid, text)


async def kill(pid: Pid) -> None:
    """Kill ``pid`` and wait until it is gone."""
    ref = process.monitor(pid)
    process.exit(pid, "kill")
    assert await down(ref) == "killed"


async def children(sup: Any) -> dict[Hashable, ChildInfo]:
    """The children of a static supervisor by id."""
    return {child.id: child for child in await Supervisor.which_children(sup)}


async def pids(sup: Any, *ids: Hashable) -> list[Pid | None]:
    """The pids of the children ``ids`` of a static supervisor."""
    found = await children(sup)
    return [found[child_id].pid for child_id in ids]


async def dynamic_pids(sup: Any) -> set[Pid | None]:
    """The pids of the children of a dynamic supervisor."""
    return {child.pid for child in await DynamicSupervisor.which_children(sup)}


def specs(tags: Iterable[Hashable], cls: type[Worker] = Worker, **fields: Any) -> list[ChildSpec]:
    """Children that report to the test: one for each tag, which is also its id."""
    me = process.current()
    return [cls.child_spec(tag, me).replace(id=tag, **fields) for tag in tags]
