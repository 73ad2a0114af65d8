"""Telling the program's own code of each event, at least once and in order."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson

from beamish import Continue, GenServer, Ref, process
from transaction_tracker.domain import Event
from transaction_tracker.store import Store, feed
from transaction_tracker.store.feed import Entry

LISTENER = "TransactionTracker.Listener"
CONSUMER = "on_event"


@dataclass(frozen=True, slots=True)
class ToldEvent(Event):
    """An event as the program's own code hears of it.

    Attributes:
        metadata: What the user noted about the transaction when it was registered.
        recorded_at: When the event was stored, in Unix seconds.
    """

    metadata: Mapping[str, Any] = field(hash=False)
    recorded_at: float


OnEvent = Callable[[ToldEvent], Awaitable[None] | None]

_BATCH = 100
# Events told since the position was saved are told again after a crash.
_SAVE_SECONDS = 1.0
# Wake-ups can get lost with who sends them: it looks by itself so often.
_LOOK_SECONDS = 60.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 60.0

logger = logging.getLogger("transaction_tracker")


@dataclass(frozen=True, slots=True)
class Wake:
    """There may be new events."""


@dataclass(frozen=True, slots=True)
class Go:
    """Tell what is new."""


class Listener(GenServer):
    """Call a function for each event, in order, one at a time, at least once.

    How far it was told is in the store: after a restart it goes on there, and may repeat
    the last few events, whose ids tell. The function may be ``async`` and slow: blocks go
    on, and events wait in the store.

    A function that raises is called again for the same event, ever more seldom but at least
    every minute, with an error in the log each time; the events after it wait. None is
    skipped: whoever wants to leave an event out returns instead of raising.

    Args:
        on_event: What to call.
        from_start: Whether a listener that never was there begins with the first event there
            ever was, instead of the next.
    """

    def __init__(self, on_event: OnEvent, *, from_start: bool = False) -> None:
        self._on_event = on_event
        self._from_start = from_start
        self._told = self._saved = 0
        self._saved_at = 0.0
        self._failures = 0
        self._going = False
        self._timer: Ref | None = None

    @staticmethod
    def wake() -> None:
        """Let it look for new events, if it is there. Never waits, and never raises."""
        GenServer.cast(LISTENER, Wake())

    @staticmethod
    async def begin(*, from_start: bool = False) -> int:
        """Give the position up to which it was told; one that never was there gets its beginning.

        Whoever lets events be written before the listener starts calls this before.

        Args:
            from_start: As for the listener itself.
        """
        return await Store.run(partial(feed.begin, consumer=CONSUMER, from_start=from_start))

    async def init(self) -> Continue:
        """Find out what was told already."""
        self._told = self._saved = await self.begin(from_start=self._from_start)
        return Continue(Go())

    async def handle_continue(self, _arg: object) -> None:
        """Tell what was left."""
        await self._go()

    def handle_cast(self, _request: Wake) -> None:
        """Look soon, unless a failure waits for its time."""
        if not self._failures:
            self._go_soon()

    async def handle_info(self, message: object) -> None:
        """Do what it is time for."""
        match message:
            case Go():
                self._going = False
                await self._go()
            case _:
                super().handle_info(message)

    async def terminate(self, _reason: object) -> None:
        """Save how far it was told: a program that is stopped in order repeats nothing."""
        await self._save()

    def _go_soon(self) -> None:
        if not self._going:
            self._going = True
            process.send(self.pid, Go())

    async def _go(self) -> None:
        batch = await Store.run(partial(feed.entries, after=self._told, limit=_BATCH))
        for entry in batch:
            if not await self._tell(entry):
                break
            if _now() - self._saved_at > _SAVE_SECONDS:
                await self._save()
        await self._save()
        if self._failures:
            pause = _FIRST_PAUSE * 2.0 ** min(self._failures - 1, 16)
            self._sleep(min(pause, _LONGEST_PAUSE))
        elif len(batch) == _BATCH:
            self._go_soon()
        else:
            self._sleep(_LOOK_SECONDS)

    async def _tell(self, entry: Entry) -> bool:
        """Call the function for one event; say whether that went well."""
        try:
            told = self._on_event(_told(entry))
            if inspect.isawaitable(told):
                await told
        except Exception:  # the user's code: its mistakes are not ours
            self._failures += 1
            logger.exception(
                "on_event failed for %s, for the %d. time; it is called again, and later events "
                "wait",
                entry.event.id,
                self._failures,
                extra={"event": entry.event.id, "failures": self._failures},
            )
            return False
        self._failures = 0
        self._told = entry.position
        return True

    async def _save(self) -> None:
        if self._told != self._saved:
            told = self._told
            await Store.run(partial(feed.advance, consumer=CONSUMER, position=told))
            self._saved, self._saved_at = told, _now()

    def _sleep(self, seconds: float) -> None:
        if self._timer is not None:
            process.cancel_timer(self._timer)
        self._timer = process.send_after(self.pid, Go(), seconds)


def _told(entry: Entry) -> ToldEvent:
    event, metadata = entry.event, orjson.loads(entry.metadata)
    return ToldEvent(event.previous, event.tracked, metadata, entry.recorded_at)


def _now() -> float:
    return asyncio.get_running_loop().time()
