"""The sessions of a host: the members that use it, and what they still have to get."""

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from beamish._runtime.process import Process
from beamish._server.requests import From
from beamish.cluster._node import wire
from beamish.cluster._node.port import Events
from beamish.pid import Pid

MAX_EVENTS = 100_000
IDLE_SECONDS = 60.0
"""A member that has not asked for events for so long is gone."""


class Watch:
    """A monitor of a member on a local process."""

    def __init__(self, session: "Session", number: int) -> None:
        self._session = session
        self._number = number

    def died(self, pid: Pid, reason: Any) -> None:
        """Send the end of the process."""
        if self._session.watches.pop(self._number, None) is not None:
            self._session.tell(self._number, "down", reason)


class Session:
    """One connection of one member.

    Args:
        program: The id of the member.
        now: The time, in seconds of the event loop.

    Attributes:
        id: The id of the session.
        watches: Its monitors: the watched process and the watcher, by the number of the message.
        seen: When it was used last.
        arrived: The number of events that have arrived at the member.
        is_quiet: Whether the member has nothing in flight and sends nothing further.
    """

    def __init__(self, program: str, now: float) -> None:
        self.program = program
        self.id = uuid4().hex
        self.watches: dict[int, tuple[Any, Watch]] = {}
        self.seen = now
        self.arrived = 0
        self.is_quiet = False
        self.is_open = True
        self._events: list[tuple[int, bytes]] = []
        self._first = 0  # the number of the first event in it
        self._wake = asyncio.Event()

    def tell(self, number: int, kind: str, value: Any) -> None:
        """Add an event."""
        if not self.is_open:
            return
        if len(self._events) >= MAX_EVENTS:
            self.close()  # the member sees that its session is gone, and that events are lost
            return
        self._events.append((number, wire.dump_outcome(kind, value)))
        self._wake.set()

    def watch(self, number: int, process: Any) -> None:
        """Monitor a process."""
        watch = Watch(self, number)
        self.watches[number] = process, watch
        process.watch(watch)

    def unwatch(self, number: int) -> None:
        """Remove a monitor."""
        process, watch = self.watches.pop(number, (None, None))
        if process is not None:
            process.unwatch(watch)

    @property
    def has_unread(self) -> bool:
        """Whether it has events that have not arrived at the member."""
        return self.arrived < self._first + len(self._events)

    def wake(self) -> None:
        """End the present `wait`."""
        self._wake.set()

    def take(self, leaving: bool) -> Events:
        """Remove and return the events; ``leaving`` is whether the host leaves its shard."""
        events, self._events = self._events, []
        first, self._first = self._first, self._first + len(events)
        self._wake.clear()
        return Events(first, events, leaving)

    async def wait(self, seconds: float) -> None:
        """Wait for an event, or until the session is closed, at most ``seconds``."""
        if not self._events and self.is_open:
            self._wake.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def close(self) -> None:
        """End the session and its monitors."""
        self.is_open = False
        for number in list(self.watches):
            self.unwatch(number)
        self._events.clear()
        self._wake.set()


class Sessions:
    """The open sessions of a host, one for each member."""

    def __init__(self) -> None:
        self._by_program: dict[str, Session] = {}
        self._by_id: dict[str, Session] = {}

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._by_id.values()))

    def open(self, program: str, now: float) -> Session:
        """Open a session; the program's last one ends."""
        self._end(self._by_program.get(program))
        session = Session(program, now)
        self._by_program[program] = self._by_id[session.id] = session
        return session

    def get(self, id: str, now: float) -> Session | None:  # noqa: A002 - the field
        """Return an open session."""
        session = self._by_id.get(id)
        if session is None or not session.is_open:
            self._end(session)
            return None
        session.seen = now
        return session

    def of_program(self, program: str) -> Session | None:
        """Return the session of a program, if it has one."""
        return self._by_program.get(program)

    def expire(self, now: float) -> None:
        """End the sessions of members that are gone."""
        for session in self:
            if now - session.seen > IDLE_SECONDS or not session.is_open:
                self._end(session)

    def _end(self, session: Session | None) -> None:
        if session is not None:
            session.close()
            self._by_id.pop(session.id, None)
            if self._by_program.get(session.program) is session:
                del self._by_program[session.program]


class HostFrom(From):
    """A call of a process of another member to a local one.

    Args:
        process: The called process.
        session: The session of the caller.
        number: The number of the message.
        caller: The calling process.
    """

    __slots__ = ("_number", "_session")

    def __init__(self, process: Process, session: Session, number: int, caller: Pid | None) -> None:
        super().__init__(process, process.pid)
        self.pid = caller
        self._session = session
        self._number = number

    def _tell(self, kind: str, value: Any) -> None:
        self._session.tell(self._number, kind, value)

    def resolve(self, value: Any) -> None:
        """Send the reply; only the first one counts."""
        was_open = self.is_open
        super().resolve(value)
        if was_open:
            self._tell("reply", value)

    def refuse(self, error: Exception) -> None:
        """Send an error to raise; only the first reply counts."""
        was_open = self.is_open
        super().refuse(error)
        if was_open:
            self._tell("refused", error)

    def fail(self, reason: Any) -> None:
        """Send that the process has ended, unless there is a reply."""
        was_open = self.is_open
        super().fail(reason)
        if was_open:
            self._tell("exit", reason)
