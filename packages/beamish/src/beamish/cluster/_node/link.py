"""`Link`: everything that one member sends to the host of one shard, and what comes back.

A link keeps one batch of messages in flight, so that messages arrive in the order in which they
were sent. Another request, `Port.events`, waits at the host for late replies, the ends of monitored
processes, and messages to processes of this program. So a slow callback delays no other.

The rules after a loss, when a request raises `HostLostError`:

1. All that was sent and not answered ends with ``"noconnection"``, and is never sent again: it can
   have run. All monitors end.
2. What was not sent stays in the queue until the next host of the shard answers, within the time
   limit of each call.
3. A host that leaves its shard says so, and refuses what was in flight; nothing of that has run.
   So no message is lost when a shard moves.
4. The link opens a new session. A host refuses the messages of an old session, so a batch that the
   network has delayed is never handled after a later one.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from beamish._runtime.process import Watcher
from beamish.cluster._node import wire
from beamish.cluster._node.identity import Identity
from beamish.cluster._node.port import Events, Item, Port
from beamish.cluster.errors import HostLostError
from beamish.errors import ExitError
from beamish.pid import Pid

_log = logging.getLogger("beamish")

MAX_BATCH = 2_000
MAX_QUEUED = 100_000
RETRY_SECONDS = 0.1

Settle = Callable[[str, Any], None]
"""A function that ends a request with the kind and value of its outcome."""


class Link:
    """The link of one member to one shard.

    Args:
        program: The id of this member.
        shard: The shard.
        port: The requests to its host.
        deliver: Called with each message to a process of this program.
    """

    def __init__(
        self, program: str, shard: int, port: Port, deliver: Callable[[tuple[Any, ...]], None]
    ) -> None:
        self.port = port
        self._program = program
        self._shard = shard
        self._deliver = deliver
        self._number = 0
        self._queue: deque[Item] = deque()
        self._queued = asyncio.Event()
        self._waiting: dict[int, Settle] = {}
        self._monitors: dict[tuple[Identity, Watcher], int] = {}
        self._session = ""
        self._expected = 0  # the number of the next event
        self._early: dict[int, list[tuple[int, bytes]]] = {}
        self._overflowing = self._leaving = self._in_flight = False
        self._task = asyncio.ensure_future(self._run())

    # -- Sending

    def put(self, kind: str, identity: Identity, content: Any, settle: Settle | None = None) -> int:
        """Queue a message; return its number.

        Raises:
            TypeError: ``content`` cannot be pickled.
            ValueError: It is too large.
        """
        data = wire.dump(content)  # first: an error must leave the queue as it is
        self._number += 1
        if len(self._queue) >= MAX_QUEUED:
            self._overflow(kind)
            if settle is not None:
                asyncio.get_running_loop().call_soon(settle, "exit", "noconnection")
            return self._number
        self._queue.append(Item(self._number, kind, identity, data))
        self._queued.set()
        if settle is not None:
            self._waiting[self._number] = settle
        return self._number

    def _overflow(self, kind: str) -> None:
        if not self._overflowing:
            self._overflowing = True
            _log.error(
                "shard %d: %d messages wait for its host; dropped a %s and all that follow",
                self._shard,
                MAX_QUEUED,
                kind,
            )

    def forget(self, number: int) -> None:
        """Drop the outcome of a request."""
        self._waiting.pop(number, None)

    def ask(self, kind: str, identity: Identity, content: Any = None) -> asyncio.Future[Any]:
        """Send a request whose answer is the result of the returned future.

        The start and the termination of a child are such requests: wait for one before you send
        messages to its child, because they take longer than messages.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def settle(kind: str, value: Any) -> None:
            if future.done():
                return
            if kind == "reply":
                future.set_result(value)
            else:
                future.set_exception(value if kind == "refused" else ExitError(value))

        self.put(kind, identity, content, settle)
        return future

    def watch(self, identity: Identity, pid: Pid, watcher: Watcher) -> None:
        """Notify ``watcher`` once when the process has ended or its host is lost."""
        monitor = identity, watcher

        def settle(_: str, reason: Any) -> None:
            if self._monitors.pop(monitor, None) is not None:
                watcher.died(pid, reason)

        self._monitors[monitor] = self.put("monitor", identity, None, settle)

    def unwatch(self, identity: Identity, watcher: Watcher) -> None:
        """Remove a watcher."""
        number = self._monitors.pop((identity, watcher), None)
        if number is not None and self._waiting.pop(number, None) is not None:
            self.put("demonitor", identity, number)

    def close(self) -> None:
        """End the link; all that waits ends with ``"noconnection"``."""
        self._task.cancel()
        self._queue.clear()
        self._lost()

    # -- Sessions

    async def _run(self) -> None:
        while True:
            try:
                _, self._session = await self.port.hello(self._program)
            except HostLostError:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self._expected, self._early = 0, {}
            self._overflowing = self._leaving = self._in_flight = False
            tasks = [asyncio.ensure_future(lane()) for lane in (self._poll, self._send)]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                for error in await asyncio.gather(*tasks, return_exceptions=True):
                    if isinstance(error, Exception):
                        _log.error("shard %d: the link failed", self._shard, exc_info=error)
                self._lost()
            await asyncio.sleep(RETRY_SECONDS)

    def _lost(self) -> None:
        queued = {item.number for item in self._queue}
        for number in [number for number in self._waiting if number not in queued]:
            self._settle(number, "exit", "noconnection")

    async def _poll(self) -> None:
        while True:
            quiet = self._leaving and not self._in_flight
            try:
                events = await self.port.events(self._session, self._expected, quiet)
            except HostLostError:
                return
            if events is None:
                return
            self._take(events)

    async def _send(self) -> None:
        while not self._leaving:
            await self._queued.wait()
            batch = [] if self._leaving else self._next_batch()
            if not batch:
                continue
            self._in_flight = True
            try:
                events = await self.port.messages(self._session, batch)
            except HostLostError:
                return
            self._in_flight = False
            if events is None:  # the host is leaving, and nothing of the batch has run
                self._queue.extendleft(reversed(batch))
                self._queued.set()
                break
            self._take(events)
        await asyncio.get_running_loop().create_future()  # until `_poll` ends

    def _next_batch(self) -> list[Item]:
        batch: list[Item] = []
        while self._queue and len(batch) < MAX_BATCH:
            item = self._queue.popleft()
            # A call that has timed out, or whose caller was cancelled, need not run.
            if item.kind not in ("call", "monitor") or item.number in self._waiting:
                batch.append(item)
        if not self._queue:
            self._queued.clear()
        return batch

    # -- Events

    def _take(self, events: Events) -> None:
        """Handle events in the order of their numbers: they come as answers to two requests."""
        self._leaving = self._leaving or events.leaving
        if events.content:
            self._early[events.first] = events.content
        while self._expected in self._early:
            batch = self._early.pop(self._expected)
            self._expected += len(batch)
            for number, data in batch:
                self._event(number, data)

    def _event(self, number: int, data: bytes) -> None:
        if number and number not in self._waiting:
            return  # a late reply
        value: Any
        try:
            kind, value = wire.load(data)
        except Exception as error:  # from the code of a class in it
            _log.error("shard %d sent what cannot be unpickled: %r", self._shard, error)
            kind, value = "exit", ExitError(f"cannot be unpickled: {error!r}")
        if number:
            self._settle(number, kind, value)
        elif kind == "program":
            self._deliver(value)

    def _settle(self, number: int, kind: str, value: Any) -> None:
        settle = self._waiting.pop(number, None)
        if settle is not None:
            settle(kind, value)
