"""Call the ``on_event`` callback for each event, at least once and in order."""

import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from beamish import Backoff, Continue, GenServer, Ref, process
from transaction_tracker.awake import loop_time
from transaction_tracker.domain import Deposit, Difference, Event
from transaction_tracker.store import Store, details, expectations, feed
from transaction_tracker.store.addresses.counts import deposits_in
from transaction_tracker.store.feed import EventRecord
from transaction_tracker.store.owned import OwnedFor, unlimited

LISTENER = "TransactionTracker.Listener"
CONSUMER = "on_event"


class StoredEvent(Event, frozen=True):
    """An event, as passed to ``on_event``.

    Attributes:
        details: All details that were known when the event was stored.
        metadata: The metadata of the transaction when the event was stored.
        recorded_at: When the event was stored, in Unix seconds.
        matches: Whether the transaction was the expected payment; ``None`` while that was unknown,
            and without an expectation.
        differences: Its differences from the expectation.
        deposits: What the transaction paid to watched addresses.
    """

    metadata: Mapping[str, Any]
    recorded_at: float
    matches: bool | None = None
    differences: tuple[Difference, ...] = ()
    deposits: tuple[Deposit, ...] = ()

    def __hash__(self) -> int:  # the metadata has no hash
        return hash(self.id)


OnEvent = Callable[[StoredEvent], Awaitable[None] | None]

_BATCH_SIZE = 100
# A crash repeats the events since the position was last saved.
_SAVE_SECONDS = 1.0
# A wake-up is lost if its sender crashes. Checking the store this often bounds the delay that a
# lost wake-up can cause.
_MAX_SLEEP_SECONDS = 60.0
# While the lease of the database is not certain, it is checked this often.
LEASE_CHECK_SECONDS = 0.5
_BACKOFF = Backoff(initial=0.1, maximum=60.0, jitter=0.0)

logger: logging.Logger = logging.getLogger("transaction_tracker")


@dataclass(frozen=True, slots=True)
class EventsStored:
    """A cast: new events were stored."""


@dataclass(frozen=True, slots=True)
class CallNext:
    """A message to itself: call the callback for the next events."""


class EventListener(GenServer):
    """Call a function for each event, in order, one at a time, at least once.

    The position of the last handled event is in the store: after a restart, the listener
    continues there, and can repeat the last few events, which have the same ids. The function can
    be ``async`` and slow: blocks are still applied, and events wait in the store.

    A function that raises is called again for the same event, with an increasing delay of at most
    a minute, and each error is logged; later events wait. No event is skipped: to ignore an event,
    return.

    Args:
        on_event: The function to call.
        from_start: Whether a new listener starts with the first stored event, instead of the next
            one.
        owned_for: Time for which this program owns the database; without it, the function is not
            called.
    """

    def __init__(
        self,
        on_event: OnEvent,
        *,
        from_start: bool = False,
        owned_for: OwnedFor = unlimited,
    ) -> None:
        self._on_event = on_event
        self._owned_for = owned_for
        self._from_start = from_start
        self._handled = self._saved = 0
        self._saved_at = 0.0
        self._failures = 0
        self._scheduled = False
        self._timer: Ref | None = None

    @staticmethod
    def wake() -> None:
        """Announce new events to the listener; no effect if it is not running. Never waits."""
        GenServer.cast(LISTENER, EventsStored())

    @staticmethod
    async def begin(*, from_start: bool = False) -> int:
        """Return the position of the last handled event; a new listener gets its start position.

        Call this before events are stored that a listener started later must not miss.

        Args:
            from_start: As for `EventListener`.
        """
        return await Store.run(partial(feed.begin, consumer=CONSUMER, from_start=from_start))

    async def init(self) -> Continue:
        """Load the position of the last handled event."""
        self._handled = self._saved = await self.begin(from_start=self._from_start)
        return Continue(CallNext())

    async def handle_continue(self, _arg: object) -> None:
        """Handle the events that were stored before the start."""
        await self._handle_events()

    def handle_cast(self, _request: EventsStored) -> None:
        """Check for new events soon, unless a retry is scheduled."""
        if not self._failures:
            self._schedule()

    async def handle_info(self, message: object) -> None:
        """Handle the next events."""
        match message:
            case CallNext():
                self._scheduled = False
                await self._handle_events()
            case _:
                super().handle_info(message)

    async def terminate(self, _reason: object) -> None:
        """Save the position, so that an orderly restart repeats no event."""
        await self._save()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            process.send(self.pid, CallNext())

    async def _handle_events(self) -> None:
        batch = await Store.run(partial(feed.entries, after=self._handled, limit=_BATCH_SIZE))
        for entry in batch:
            # What was read can be another program's to tell by now.
            if self._owned_for() <= 0 or not await self._call(entry):
                break
            if loop_time() - self._saved_at > _SAVE_SECONDS:
                await self._save()
        await self._save()
        if self._owned_for() <= 0:
            self._sleep(LEASE_CHECK_SECONDS)
        elif self._failures:
            self._sleep(_BACKOFF.delay(self._failures))
        elif len(batch) == _BATCH_SIZE:
            self._schedule()
        else:
            self._sleep(_MAX_SLEEP_SECONDS)

    async def _call(self, entry: EventRecord) -> bool:
        """Call the function for one event; return whether it succeeded."""
        try:
            result = self._on_event(_stored_event(entry))
            if inspect.isawaitable(result):
                await result
        except Exception:  # raised by the user's code, which must not stop the listener
            self._failures += 1
            logger.exception(
                "on_event failed for %s (attempt %d); retrying, later events wait",
                entry.event.id,
                self._failures,
                extra={"event": entry.event.id, "failures": self._failures},
            )
            return False
        self._failures = 0
        self._handled = entry.position
        return True

    async def _save(self) -> None:
        if self._handled != self._saved:
            position = self._handled
            await Store.run(partial(feed.advance, consumer=CONSUMER, position=position))
            self._saved, self._saved_at = position, loop_time()

    def _sleep(self, seconds: float) -> None:
        if self._timer is not None:
            process.cancel_timer(self._timer)
        self._timer = process.send_after(self.pid, CallNext(), seconds)


def _stored_event(entry: EventRecord) -> StoredEvent:
    matches, differences = expectations.read_comparison(entry.expectation)
    return StoredEvent(
        entry.event.previous,
        entry.event.tracked,
        orjson.loads(entry.metadata),
        entry.recorded_at,
        matches,
        differences,
        () if entry.deposits is None else deposits_in(entry.deposits),
        details=details.read(entry.details),
    )
