"""The courier: one process for one endpoint, which delivers to it and knows how it does."""

import asyncio
import random
import time
from collections import deque
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection

from beamish import Continue, Exit, GenServer, Pid, Ref, Stop, process
from transaction_tracker.outbox import payload
from transaction_tracker.outbox.attempt import Result, attempt
from transaction_tracker.outbox.breaker import Breaker
from transaction_tracker.outbox.context import Context, Wake
from transaction_tracker.outbox.schedule import next_delay
from transaction_tracker.store import STORE, Store
from transaction_tracker.store import outbox as store
from transaction_tracker.store.endpoints import Endpoint
from transaction_tracker.store.outbox import Delivery

# Read at once; a block may have thousands.
_BATCH = 100
# Clocks are set, and wake-ups can get lost with who sends them: it looks by itself so often.
_MAX_SLEEP_SECONDS = 60.0
_MIN_SLEEP_SECONDS = 0.05
# Clocks are adjusted all the time by less.
_CLOCK_TOLERANCE_SECONDS = 1.0
# At the end, attempts that are under way may come so far; the others are made again.
GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Go:
    """Deliver what is due."""


@dataclass(frozen=True, slots=True)
class Attempted:
    """An attempt has ended, and its result is stored."""

    result: Result


@dataclass(frozen=True, slots=True)
class Flight:
    """An attempt that is under way."""

    delivery: Delivery
    landed: asyncio.Future[None]


class Courier(GenServer, restart="transient", trap_exit=True, shutdown=GRACE_SECONDS + 2.0):
    """Deliver to one endpoint: in order for each transaction, several transactions at once.

    It knows nothing that is not in the store, but how the endpoint answered lately. Attempts
    are processes of their own: a slow answer holds up its own transaction, and a crash is an
    attempt that failed.

    Args:
        endpoint: The endpoint's id.
        context: What all couriers share.
    """

    def __init__(self, endpoint: str, context: Context) -> None:
        self._id = endpoint
        self._context = context
        self._endpoint: Endpoint | None = None
        self._breaker = Breaker()
        self._queue: deque[Delivery] = deque()
        self._flights: dict[Pid, Flight] = {}
        self._next_due: float | None = None
        self._stale = True
        self._going = False
        self._timer: Ref | None = None
        self._ahead: float | None = None  # the wall clock's seconds beyond those of the loop

    def init(self) -> Continue:
        """Look at once: there may be something left from before."""
        process.set_label(f"courier of {self._id}")
        return Continue(Go())

    async def handle_continue(self, _arg: object) -> Stop | None:
        """Deliver what was left."""
        return await self._go()

    def handle_cast(self, _request: Wake) -> None:
        """Look again: there may be new events, and the endpoint may have changed."""
        self._stale = True
        self._go_soon()

    async def handle_info(self, message: object) -> Stop | None:
        """Do what it is time for, and hear how attempts ended."""
        match message:
            case Go():
                self._going = False
                return await self._go()
            case Attempted(result):
                self._learn(result)
            case Exit(pid, reason) if pid in self._flights:
                await self._land(self._flights.pop(pid), reason)
                self._go_soon()
            case _:
                super().handle_info(message)
        return None

    async def terminate(self, _reason: object) -> None:
        """Wait a little for what is under way; what is cut off then will be delivered again."""
        landings = [flight.landed for flight in self._flights.values()]
        # Without the store their results could not be noted: they will be made again.
        if landings and GenServer.whereis(STORE) is not None:
            await asyncio.wait(landings, timeout=GRACE_SECONDS)

    def _go_soon(self) -> None:
        if not self._going:
            self._going = True
            process.send(self.pid, Go())

    async def _go(self) -> Stop | None:
        room = self._room()
        if room and (self._stale or not self._queue):
            await self._load()
            if self._endpoint is None:
                return Stop("normal")
        for _ in range(min(room, len(self._queue))):
            self._launch(self._queue.popleft())
        self._sleep()
        return None

    async def _load(self) -> None:
        """Read what is due, in place of what was read before."""
        busy = {flight.delivery.position for flight in self._flights.values()}
        work = partial(
            store.due,
            endpoint=self._id,
            limit=_BATCH,
            busy=busy,
            clock_changed=self._clock_changed(),
        )
        self._stale = False
        batch = await Store.run(work)
        # An event that was told to be delivered again waits for a later one that is under way.
        moving = {flight.delivery.transaction for flight in self._flights.values()}
        ready = [each for each in batch.deliveries if each.transaction not in moving]
        self._endpoint, self._next_due = batch.endpoint, batch.next_due
        self._queue = deque(ready)

    def _clock_changed(self) -> bool:
        """Return whether the wall clock was set back since the last time, or may have been."""
        before, self._ahead = self._ahead, time.time() - _now()
        return before is None or self._ahead < before - _CLOCK_TOLERANCE_SECONDS

    def _launch(self, delivery: Delivery) -> None:
        if self._endpoint is None:
            return
        landed = asyncio.get_running_loop().create_future()
        flight = Flight(delivery, landed)
        pid = process.spawn_link(_fly, self._context, self._endpoint, flight, self.pid)
        self._flights[pid] = flight

    async def _land(self, flight: Flight, reason: object) -> None:
        if reason == "normal":
            return
        # Its report is in the log already. Stored here, or it would be tried again at once.
        words = reason if isinstance(reason, str) else type(reason).__name__
        result = Result("crashed", error=f"the attempt crashed: {words}")
        self._learn(result)
        await record(flight.delivery, result)

    def _learn(self, result: Result) -> None:
        if result.answered:
            self._breaker = self._breaker.answered()
        else:
            self._breaker = self._breaker.failed(_now(), result.retry_after)

    def _room(self) -> int:
        return self._breaker.room(_now(), len(self._flights), self._context.per_endpoint)

    def _sleep(self) -> None:
        """Come back when something is due; whoever lands or wakes this comes earlier."""
        if self._timer is not None:
            process.cancel_timer(self._timer)
        seconds = max(_MIN_SLEEP_SECONDS, min(self._seconds(), _MAX_SLEEP_SECONDS))
        self._timer = process.send_after(self.pid, Go(), seconds)

    def _seconds(self) -> float:
        if self._flights and not self._room():
            return _MAX_SLEEP_SECONDS  # who lands says so
        paused = (self._breaker.open_until or 0.0) - _now()
        if paused > 0:
            return paused
        if self._queue or self._next_due is None:
            return _MAX_SLEEP_SECONDS
        return self._next_due - time.time()


async def _fly(context: Context, endpoint: Endpoint, flight: Flight, courier: Pid) -> None:
    """Make one attempt, store its result, and tell the courier."""
    try:
        async with context.slots:
            entry = flight.delivery.entry
            message, body = payload.message_id(entry.event), payload.body(entry)
            result = await attempt(context.client, endpoint, message, body)
        await record(flight.delivery, result)
        process.send(courier, Attempted(result))
    finally:
        flight.landed.set_result(None)


async def record(delivery: Delivery, result: Result) -> None:
    """Store what became of an attempt, and when the next one is due."""
    jitter = random.random()  # noqa: S311 - nobody gains by guessing it
    await Store.run(partial(_write, delivery=delivery, result=result, jitter=jitter))


def _write(connection: Connection, delivery: Delivery, result: Result, jitter: float) -> None:
    if result.delivered:
        store.delivered(connection, delivery, result.status)
        return
    error = result.error or result.verdict
    if result.verdict == "gone":
        store.refused(connection, delivery, result.status, error)
        return
    delay = next_delay(delivery.attempts + 1, jitter, result.retry_after)
    if delay is None:
        store.dead(connection, delivery, result.status, error)
    else:
        store.failed(connection, delivery, time.time() + delay, result.status, error)


def _now() -> float:
    return asyncio.get_running_loop().time()
