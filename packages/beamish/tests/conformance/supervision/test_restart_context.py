"""A restarted child sees nothing of the context in which its last process was ended."""

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

import pytest

from beamish import DynamicSupervisor, ExitError, GenServer, Supervisor, call, process

from .support import until

REQUEST: ContextVar[str] = ContextVar("REQUEST", default="none")


class Child(GenServer):
    seen: list[str] = []  # noqa: RUF012 - emptied by each test

    def __init__(self) -> None:
        self.seen.append(REQUEST.get())

    def init(self) -> None:
        self.seen.append(REQUEST.get())

    @call
    def crash(self) -> None:
        raise ValueError("boom")

    @call
    async def crash_later(self) -> None:
        raise ValueError("boom")


class AsyncChild(Child):
    async def init(self) -> None:  # type: ignore[override]
        self.seen.append(REQUEST.get())


async def exit_(dest: str) -> None:
    pid = process.whereis(dest)
    assert pid is not None
    process.exit(pid, "boom")


async def crash(dest: str) -> None:
    with pytest.raises(ExitError):
        await Child.crash(dest)


async def crash_later(dest: str) -> None:
    with pytest.raises(ExitError):
        await Child.crash_later(dest)


async def stop(dest: str) -> None:
    await GenServer.stop(dest, "boom")


ENDS: list[Callable[[str], Awaitable[None]]] = [exit_, crash, crash_later, stop]


@pytest.mark.parametrize("kind", [Supervisor, DynamicSupervisor])
@pytest.mark.parametrize("child", [Child, AsyncChild])
@pytest.mark.parametrize("end", ENDS)
async def test_restarted_child_does_not_see_the_context_of_who_ended_the_last(
    end: Callable[[str], Awaitable[None]], child: type[Child], kind: Any
) -> None:
    Child.seen.clear()
    sup = await (kind.start_link([]) if kind is Supervisor else kind.start_link())
    await kind.start_child(sup, child.child_spec(name="child"))
    first = list(Child.seen)
    token = REQUEST.set("of the killer")

    await end("child")
    await until(lambda: len(Child.seen) == 4 and process.whereis("child") is not None)

    REQUEST.reset(token)
    assert first == ["none", "none"]
    assert Child.seen == ["none"] * 4
    await kind.stop(sup)
