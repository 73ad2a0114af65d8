"""The courier: one process for one endpoint, which delivers to it and tracks how that goes."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field, replace
from functools import partial

from beamish import Continue, Exit, GenServer, Pid, Ref, Registry, Stop, process
from transaction_tracker.outbox import payload, recording
from transaction_tracker.outbox.attempt import Result, attempt
from transaction_tracker.outbox.breaker import Breaker
from transaction_tracker.outbox.context import REGISTRY, Context, Wake
from transaction_tracker.outbox.health import Health
from transaction_tracker.outbox.recording import record
from transaction_tracker.outbox.schedule import jitter
from transaction_tracker.outbox.slots import Window
from transaction_tracker.store import STORE, Store, endpoint_status
from transaction_tracker.store import outbox as store
from transaction_tracker.store.deliveries import Delivery
from transaction_tracker.store.endpoints import Endpoint

# Read at once for an endpoint that answers; a block may have thousands.
_BATCH_SIZE = 100
# Read at once for each attempt that an endpoint may have in flight while it has not earned more.
# Hundreds of endpoints that hang fail in the same second: reading what they cannot be sent anyway
# would delay the others.
_SMALL_BATCH_SIZE = 4
# Due times are wall-clock times, and a wake-up is lost if its sender crashes. Checking the store
# this often bounds the delay that a clock change or a lost wake-up can cause.
_MAX_SLEEP_SECONDS = 60.0
_MIN_SLEEP_SECONDS = 0.05
# Clocks are adjusted all the time by less.
_CLOCK_TOLERANCE_SECONDS = 1.0
# An endpoint that hung rests for up to so long. Hundreds that hang since the same event do not
# come back in the same moment, in which nothing else would be delivered.
_MAX_REST_SECONDS = 5.0
# The oldest attempts of the endpoint are deleted with every so many new ones.
_TRIM_INTERVAL = 50
# How long a shutdown waits for attempts in flight. Unfinished attempts are repeated after a
# restart, so the receiver can get the same event twice.
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
    """An attempt in flight.

    Attributes:
        endpoint: The endpoint as it was when the attempt began.
        delivery: What is delivered.
        shared: Whether it holds a shared slot, and not the endpoint's own.
        probe: Whether it is the probe of an endpoint whose breaker is open.
        trims: Whether old attempts are deleted with it.
        landed: Done once the result is stored.
    """

    endpoint: Endpoint
    delivery: Delivery
    shared: bool
    probe: bool
    trims: bool
    landed: asyncio.Future[None] = field(repr=False)


class Courier(GenServer, restart="transient", trap_exit=True, shutdown=GRACE_SECONDS + 2.0):
    """Deliver events to one endpoint.

    Events of one transaction are sent in order; different transactions are sent concurrently.
    Each attempt runs in its own linked process, so a slow response delays only its own
    transaction, and a crash counts as one failed attempt.

    The store holds all durable state. The courier adds the circuit breaker and the window of
    concurrent attempts. After a restart, an endpoint that was failing gets one probe at once; any
    other begins with a closed breaker and one attempt at a time.

    Args:
        endpoint: The endpoint's id.
        context: What all couriers share.
    """

    def __init__(self, endpoint: str, context: Context) -> None:
        self._id = endpoint
        self._context = context
        self._endpoint: Endpoint | None = None
        self._breaker = Breaker()
        self._window = Window(context.per_endpoint)
        self._rests_until = 0.0
        self._health: Health | None = None  # until the endpoint is loaded
        self._queue: deque[Delivery] = deque()
        self._flights: dict[Pid, Flight] = {}
        self._begun = int(jitter() * _TRIM_INTERVAL)  # not all couriers trim at the same time
        self._next_due: float | None = None
        self._stale = True
        self._going = False
        self._timer: Ref | None = None
        self._ahead: float | None = None  # the wall clock's seconds beyond those of the loop

    def init(self) -> Continue:
        """Look for deliveries at once: some may be left from before."""
        process.set_label(f"courier of {self._id}")
        return Continue(Go())

    async def handle_continue(self, _arg: object) -> Stop | None:
        """Deliver what was left."""
        return await self._go()

    def handle_cast(self, request: Wake) -> None:
        """Look again: there can be new events, and the endpoint can have changed."""
        self._stale = True
        if request.probes:
            self._breaker, self._rests_until = self._breaker.probe_now(_now()), 0.0
        # Without room nothing can begin. Who makes room, an attempt that ends or the end of a
        # pause, looks anyway; so a thousand failing endpoints cost little with each commit.
        if self._room():
            self._go_soon()

    async def handle_info(self, message: object) -> Stop | None:
        """Deliver what is due, and handle the ends of attempts."""
        match message:
            case Go():
                self._going = False
                return await self._go()
            case Attempted(result):
                await self._learn(result)
            case Exit(pid, reason) if pid in self._flights:
                await self._land(self._flights.pop(pid), reason)
                self._go_soon()
            case _:
                super().handle_info(message)
        return None

    async def terminate(self, _reason: object) -> None:
        """Wait for attempts in flight for a few seconds; the others are repeated later."""
        landings = [flight.landed for flight in self._flights.values()]
        # Without the store their results cannot be stored, and they are repeated anyway.
        if landings and GenServer.whereis(STORE) is not None:
            await asyncio.wait(landings, timeout=GRACE_SECONDS)

    def _go_soon(self) -> None:
        if not self._going:
            self._going = True
            process.send(self.pid, Go())

    async def _go(self) -> Stop | None:
        if self._room() and (self._stale or not self._queue):
            await self._load()
            if self._endpoint is None:
                return Stop("normal")
        while self._endpoint is not None and self._queue and self._room():
            if not self._launch(self._endpoint):
                break  # the end of an attempt in flight leads here again
        self._sleep()
        return None

    # -- Reading

    async def _load(self) -> None:
        """Read what is due, in place of what was read before."""
        busy = {flight.delivery.position for flight in self._flights.values()}
        work = partial(
            store.due,
            endpoint=self._id,
            limit=_BATCH_SIZE if self._window.is_full else _SMALL_BATCH_SIZE * self._window.size,
            busy=busy,
            clock_changed=self._clock_changed(),
        )
        self._stale = False
        batch = await Store.run(work)
        # An event that was told to be delivered again waits for a later one that is in flight.
        moving = {flight.delivery.transaction for flight in self._flights.values()}
        ready = [each for each in batch.deliveries if each.transaction not in moving]
        self._endpoint, self._next_due = batch.endpoint, batch.next_due
        self._queue = deque(ready)
        if self._health is None and self._endpoint is not None:
            self._resume(self._endpoint)

    def _resume(self, endpoint: Endpoint) -> None:
        """Take up the health that was stored before a restart: it is not logged again."""
        self._health = Health.stored(endpoint.failing_since)
        if endpoint.failing_since is not None:
            self._breaker = Breaker.probing(_now())

    def _clock_changed(self) -> bool:
        """Return whether the wall clock was set back since the last time, or may have been."""
        before, self._ahead = self._ahead, time.time() - _now()
        return before is None or self._ahead < before - _CLOCK_TOLERANCE_SECONDS

    # -- Sending

    def _launch(self, endpoint: Endpoint) -> bool:
        """Begin the next attempt; return whether there was a slot for it."""
        slots, host = self._context.slots, endpoint.host
        own_is_free = all(flight.shared for flight in self._flights.values())
        if not own_is_free and not slots.has_room(host):
            return False
        flight = Flight(
            endpoint,
            self._queue.popleft(),
            shared=not own_is_free,
            probe=self._breaker.open_until is not None,
            trims=self._begun % _TRIM_INTERVAL == 0,
            landed=asyncio.get_running_loop().create_future(),
        )
        pid = process.spawn_link(_fly, self._context, flight, self.pid)
        if flight.shared:
            slots.take(pid, host)
        self._flights[pid] = flight
        self._begun += 1
        return True

    async def _land(self, flight: Flight, reason: object) -> None:
        if reason == "normal":
            return
        # The crash itself is already in the log. It must be stored as a failure here: otherwise
        # the delivery is still due and is retried at once, without back-off.
        words = reason if isinstance(reason, str) else type(reason).__name__
        result = Result("crashed", error=f"the attempt crashed: {words}")
        await record(flight.delivery, result, trims=flight.trims)
        await self._learn(result)

    async def _learn(self, result: Result) -> None:
        """Update what is known of the endpoint with the result of an attempt."""
        if result.answered:
            self._breaker, self._window = self._breaker.answered(), self._window.answered()
        else:
            self._breaker = self._breaker.failed(_now(), result.retry_after, jitter())
            self._window = self._window.failed()
            if result.verdict == "timeout":
                self._rests_until = _now() + jitter() * _MAX_REST_SECONDS
        self._publish_pause()
        if self._endpoint is None or self._health is None:
            return
        if result.verdict == "gone" and self._endpoint.enabled:
            self._endpoint = replace(self._endpoint, enabled=False)
            recording.log_gone(self._endpoint)
        before = self._health
        self._health = before.after(time.time(), delivered=result.delivered)
        if before.failing_since != self._health.failing_since:
            await recording.health_changed(self._endpoint, before, self._health, result)

    # -- Waiting

    def _room(self) -> int:
        now = _now()
        if now < self._rests_until:
            return 0
        return self._breaker.room(now, len(self._flights), self._window.size)

    def _publish_pause(self) -> None:
        """Let others read until when nothing is sent, as `context.paused_until`."""
        until = self._breaker.open_until
        moment = None if until is None else time.time() + until - _now()
        Registry.update_value(REGISTRY, self._id, lambda _: moment)

    def _sleep(self) -> None:
        """Come back when something is due; the end of an attempt or a wake-up comes earlier."""
        if self._timer is not None:
            process.cancel_timer(self._timer)
        seconds = max(_MIN_SLEEP_SECONDS, min(self._seconds(), _MAX_SLEEP_SECONDS))
        self._timer = process.send_after(self.pid, Go(), seconds)

    def _seconds(self) -> float:
        if self._flights and not self._room():
            return _MAX_SLEEP_SECONDS  # the end of an attempt comes first
        paused = max(self._breaker.open_until or 0.0, self._rests_until) - _now()
        if paused > 0:
            return paused
        if self._queue or self._next_due is None:
            return _MAX_SLEEP_SECONDS
        return self._next_due - time.time()


async def _fly(context: Context, flight: Flight, courier: Pid) -> None:
    """Make one attempt, store its result, and tell the courier."""
    try:
        result = await (_probe if flight.probe else _attempt)(context, flight)
        if result is not None:
            await record(flight.delivery, result, trims=flight.trims)
            process.send(courier, Attempted(result))
    finally:
        flight.landed.set_result(None)


async def _probe(context: Context, flight: Flight) -> Result | None:
    """Make one attempt once there is a probe slot; return ``None`` if it must not be made."""
    waits = context.probes.locked()
    async with context.probes:
        if waits:
            work = partial(endpoint_status.receiver, delivery=flight.delivery)
            endpoint = await Store.run(work)
            if endpoint is None:
                return None
            flight = replace(flight, endpoint=endpoint)
        return await _attempt(context, flight)


async def _attempt(context: Context, flight: Flight) -> Result:
    entry = flight.delivery.entry
    message, body = payload.message_id(entry.event), payload.body(entry)
    return await attempt(context.client, flight.endpoint, message, body)


def _now() -> float:
    return asyncio.get_running_loop().time()
