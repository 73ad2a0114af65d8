"""All ways to call a server, which must not differ in anything but speed.

A ``@call`` method that is called by pid runs on the caller's stack, in code that is written for it
(`_server/clients.py`); every other way goes through `ServerProcess.request`. Both know the rules of
a call, so each rule is tested in all ways.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from beamish import From, GenServer, Pid, Via, call, cast
from beamish._runtime.runtime import running


class Names:
    """A name service, so that a via name needs no registry in these tests."""

    pids: dict[object, Pid] = {}  # noqa: RUF012 - one for all tests, empty between them

    @classmethod
    def register_name(cls, name: object, pid: Pid) -> bool:
        return cls.pids.setdefault(name, pid) is pid

    @classmethod
    def unregister_name(cls, name: object) -> None:
        cls.pids.pop(name, None)

    @classmethod
    def whereis_name(cls, name: object) -> Pid | None:
        return cls.pids.get(name)


class Runs(GenServer):
    """Runs the functions that it is given: plain ones at once, async ones in an async callback."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    @call
    def run(self, fn: Callable[["Runs"], Any]) -> Any:
        return fn(self)

    def handle_call(self, request: Callable[["Runs"], Any], from_: From) -> Any:
        return request(self)

    @cast
    def note(self, word: object) -> None:
        self.seen.append(word)

    def handle_cast(self, request: object) -> None:
        self.seen.append(request)

    def handle_info(self, message: object) -> None:
        self.seen.append(message)


@dataclass(frozen=True)
class Way:
    """One way to call.

    Args:
        by: How the server is addressed.
        how: Which function is called.
        direct: Whether calls may run on the caller's stack.
    """

    by: str
    how: str
    direct: bool

    def __str__(self) -> str:
        return f"{self.how} by {self.by}, direct {'on' if self.direct else 'off'}"

    async def start(self, key: object = "server", kind: type[Runs] = Runs) -> Any:
        """Start a server, and return by what it is called."""
        # Read when a server comes to rest: this one must not have been called before.
        running().direct_dispatch = self.direct
        match self.by:
            case "name":
                await kind.start(name=str(key))
                return str(key)
            case "via":
                via = Via(Names, key)
                await kind.start(name=via)
                return via
        return await kind.start()

    async def call(self, dest: Any, fn: Callable[[Any], Any]) -> Any:
        """Run ``fn`` in the server at ``dest``."""
        match self.how:
            case "method":
                return await Runs.run(dest, fn)
            case "method with timeout":
                return await Runs.run.timeout(10.0)(dest, fn)
        return await GenServer.call(dest, fn, 10.0)


WAYS = [
    Way(by, how, direct)
    for direct in (True, False)
    for how in ("method", "method with timeout", "GenServer.call")
    for by in ("pid", "name", "via")
]

every_way = pytest.mark.parametrize("way", WAYS, ids=str)
"""Run a test in each way to call."""


async def stop(dest: Any) -> None:
    """Stop a server that may be dead already."""
    with contextlib.suppress(Exception):
        await GenServer.stop(dest)
