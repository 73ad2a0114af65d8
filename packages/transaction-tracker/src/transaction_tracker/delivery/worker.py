"""The delivery worker: one process per endpoint, which sends the endpoint's events."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field, replace
from functools import partial

from beamish import Continue, Exit, GenServer, Pid, Ref, Registry, Stop, process
from transaction_tracker.awake import loop_time
from transaction_tracker.delivery import payload, recording
from transaction_tracker.delivery.attempt import Result, send
from transaction_tracker.delivery.breaker import Breaker
from transaction_tracker.delivery.context import REGISTRY, DeliveryContext, WakeUp
from transaction_tracker.delivery.health import EndpointHealth
from transaction_tracker.delivery.recording import record
from transaction_tracker.delivery.schedule import jitter
from transaction_tracker.delivery.slots import Window
from transaction_tracker.domain.webhook_endpoint import WebhookEndpoint
from transaction_tracker.store import STORE, NotOwnerError, Store, endpoint_status
from transaction_tracker.store import outbox as store
from transaction_tracker.store.deliveries import Delivery
from transaction_tracker.store.owned import while_owned

# One block can produce thousands of events; bounds the memory and the length of each query.
_BATCH_SIZE = 100
# Deliveries read per attempt that the window allows, until the window is full. Hundreds of
# endpoints that hang fail in the same second: reading deliveries that they cannot be sent would
# delay the other endpoints.
_SMALL_BATCH_SIZE = 4
# Due times are wall-clock times, and a wake-up is lost if its sender crashes. Checking the store
# this often bounds the delay that a clock change or a lost wake-up can cause.
_MAX_SLEEP_SECONDS = 60.0
_MIN_SLEEP_SECONDS = 0.05
# While the lease of the database is not certain, a worker checks it this often.
LEASE_CHECK_SECONDS = 0.5
# Time synchronisation adjusts clocks all the time, by less than this.
_CLOCK_TOLERANCE_SECONDS = 1.0
# After a timeout, an endpoint rests for a random time up to this. Without it, hundreds of endpoints
# that hang since the same event would retry in the same moment and delay all other deliveries.
_MAX_REST_SECONDS = 5.0
# Number of attempts after which the oldest attempts of the endpoint are deleted.
_TRIM_INTERVAL = 50
# How long a shutdown waits for attempts in flight. Unfinished attempts are repeated after a
# restart, so the receiver can get the same event twice.
GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class DeliverDue:
    """Message: start attempts for the deliveries that are due."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt in flight.

    Attributes:
        endpoint: The endpoint as it was when the attempt started.
        delivery: The delivery.
        shared: Whether the attempt holds a shared slot instead of the endpoint's own.
        probe: Whether the attempt is the probe of an endpoint whose breaker is open.
        trims: Whether the oldest attempts of the endpoint are deleted with this one.
        finished: Done when the process of the attempt ends: the stored result, or ``None`` if
            the attempt was not made or crashed.
    """

    endpoint: WebhookEndpoint
    delivery: Delivery
    shared: bool
    probe: bool
    trims: bool
    finished: asyncio.Future[Result | None] = field(repr=False)


class DeliveryWorker(GenServer, restart="transient", trap_exit=True, shutdown=GRACE_SECONDS + 2.0):
    """Deliver events to one endpoint.

    Events of one transaction are sent in order; different transactions are sent concurrently.
    Each attempt runs in its own linked process, so a slow response delays only its own
    transaction, and a crash counts as one failed attempt.

    The store holds all durable state. The worker adds the circuit breaker and the window of
    concurrent attempts. After a restart, a failing endpoint gets one probe at once; any other
    endpoint starts with a closed breaker and one attempt at a time.

    Args:
        endpoint: Id of the endpoint.
        context: Client and limits, shared by all delivery workers.
    """

    def __init__(self, endpoint: str, context: DeliveryContext) -> None:
        self._id = endpoint
        self._context = context
        self._endpoint: WebhookEndpoint | None = None
        self._breaker = Breaker()
        self._window = Window(context.per_endpoint)
        self._rests_until = 0.0
        self._health: EndpointHealth | None = None  # until the endpoint is loaded
        self._queue: deque[Delivery] = deque()
        self._in_flight: dict[Pid, Attempt] = {}
        # Starts at a random number, so that not all workers trim at the same time.
        self._started = int(jitter() * _TRIM_INTERVAL)
        self._next_due: float | None = None
        self._stale = True
        self._scheduled = False
        self._timer: Ref | None = None
        self._clock_offset: float | None = None  # seconds from the loop's clock to the wall clock

    def init(self) -> Continue:
        """Start with the deliveries that are left in the store."""
        process.set_label(f"delivery worker of {self._id}")
        return Continue(DeliverDue())

    async def handle_continue(self, _arg: object) -> Stop | None:
        """Start attempts for the deliveries that are due."""
        return await self._deliver_due()

    def handle_cast(self, request: WakeUp) -> None:
        """Read the store again: there can be new events, and the endpoint can have changed."""
        self._stale = True
        if request.probes:
            self._breaker, self._rests_until = self._breaker.probe_now(loop_time()), 0.0
        # Without capacity, no attempt can start. The end of an attempt and the end of a pause
        # read the store anyway, so each commit costs little for a thousand failing endpoints.
        if self._capacity():
            self._schedule()

    async def handle_info(self, message: object) -> Stop | None:
        """Start attempts that are due, and handle the ends of attempts."""
        match message:
            case DeliverDue():
                self._scheduled = False
                return await self._deliver_due()
            case Exit(pid, reason) if pid in self._in_flight:
                await self._attempt_ended(self._in_flight.pop(pid), reason)
                self._schedule()
            case _:
                super().handle_info(message)
        return None

    async def terminate(self, _reason: object) -> None:
        """Wait up to ``GRACE_SECONDS`` for attempts in flight; unfinished ones are repeated."""
        unfinished = [attempt.finished for attempt in self._in_flight.values()]
        # Without the store, results cannot be stored: the attempts are repeated in any case.
        if unfinished and GenServer.whereis(STORE) is not None:
            await asyncio.wait(unfinished, timeout=GRACE_SECONDS)

    def _schedule(self) -> None:
        """Send `DeliverDue` to this process, unless one is already in the mailbox."""
        if not self._scheduled:
            self._scheduled = True
            process.send(self.pid, DeliverDue())

    async def _deliver_due(self) -> Stop | None:
        if self._capacity() and (self._stale or not self._queue):
            await self._load()
            if self._endpoint is None:
                return Stop("normal")
        while self._endpoint is not None and self._queue and self._capacity():
            if not self._start_attempt(self._endpoint):
                break  # no slot; the end of an attempt in flight schedules the next try
        self._sleep()
        return None

    # -- Reading

    async def _load(self) -> None:
        """Replace the queue by the deliveries that are due now."""
        busy = {attempt.delivery.position for attempt in self._in_flight.values()}
        work = partial(
            store.due,
            endpoint=self._id,
            limit=_BATCH_SIZE if self._window.is_full else _SMALL_BATCH_SIZE * self._window.size,
            busy=busy,
            clock_changed=self._clock_changed(),
        )
        self._stale = False
        batch = await Store.run(work)
        # A redelivered event can precede an event of its transaction that is in flight. Without
        # this filter, both would be in flight at once.
        busy_transactions = {attempt.delivery.transaction for attempt in self._in_flight.values()}
        self._endpoint, self._next_due = batch.endpoint, batch.next_due
        self._queue = deque(
            delivery
            for delivery in batch.deliveries
            if delivery.transaction not in busy_transactions
        )
        if self._health is None and self._endpoint is not None:
            self._resume(self._endpoint)

    def _resume(self, endpoint: WebhookEndpoint) -> None:
        """Restore the health that was stored before a restart, without logging it again."""
        self._health = EndpointHealth.stored(
            endpoint.failing_since, self._context.failing_threshold
        )
        if endpoint.failing_since is not None:
            self._breaker = Breaker.probing(loop_time())

    def _clock_changed(self) -> bool:
        """Return whether the wall clock was set back since the last call; true at the first."""
        before, self._clock_offset = self._clock_offset, time.time() - loop_time()
        return before is None or self._clock_offset < before - _CLOCK_TOLERANCE_SECONDS

    # -- Sending

    def _start_attempt(self, endpoint: WebhookEndpoint) -> bool:
        """Start an attempt for the next delivery in the queue; return whether it got a slot."""
        slots, host = self._context.slots, endpoint.host
        own_slot_is_free = all(attempt.shared for attempt in self._in_flight.values())
        if not own_slot_is_free and not slots.has_free(host):
            return False
        attempt = Attempt(
            endpoint,
            self._queue.popleft(),
            shared=not own_slot_is_free,
            probe=self._breaker.open_until is not None,
            trims=self._started % _TRIM_INTERVAL == 0,
            finished=asyncio.get_running_loop().create_future(),
        )
        pid = process.spawn_link(_run_attempt, self._context, attempt)
        if attempt.shared:
            slots.take(pid, host)
        self._in_flight[pid] = attempt
        self._started += 1
        return True

    async def _attempt_ended(self, attempt: Attempt, reason: object) -> None:
        result = attempt.finished.result() if attempt.finished.done() else None
        if result is None and reason == "normal":
            # The delivery was no longer due when the probe got its slot, or the lease of the
            # database ran out.
            return
        if result is None:
            # The crash itself is already in the log. It must be stored as a failure here:
            # otherwise the delivery is still due and is retried at once, without back-off.
            cause = reason if isinstance(reason, str) else type(reason).__name__
            result = Result("crashed", error=f"the attempt crashed: {cause}")
            await record(attempt.delivery, result, trims=attempt.trims)
        await self._update_endpoint(result)

    async def _update_endpoint(self, result: Result) -> None:
        """Update the breaker, the window and the health by the result of an attempt."""
        if result.answered:
            self._breaker, self._window = self._breaker.answered(), self._window.answered()
        else:
            self._breaker = self._breaker.failed(loop_time(), result.retry_after, jitter())
            self._window = self._window.failed()
            if result.outcome == "timeout":
                self._rests_until = loop_time() + jitter() * _MAX_REST_SECONDS
        self._publish_pause()
        if self._endpoint is None or self._health is None:
            return
        if result.outcome == "gone" and self._endpoint.enabled:
            self._endpoint = replace(self._endpoint, enabled=False)
            recording.log_gone(self._endpoint)
        before = self._health
        self._health = before.after(time.time(), delivered=result.delivered)
        if before.failing_since != self._health.failing_since:
            await recording.health_changed(self._endpoint, before, self._health, result)

    # -- Waiting

    def _capacity(self) -> int:
        """Return how many attempts can start now."""
        now = loop_time()
        if now < self._rests_until or self._context.owned_for() <= 0:
            return 0
        return self._breaker.capacity(now, len(self._in_flight), self._window.size)

    def _publish_pause(self) -> None:
        """Publish the end of the pause, which `context.paused_until` reads."""
        until = self._breaker.open_until
        moment = None if until is None else time.time() + until - loop_time()
        Registry.update_value(REGISTRY, self._id, lambda _: moment)

    def _sleep(self) -> None:
        """Schedule the next `DeliverDue`; the end of an attempt or a wake-up can come earlier."""
        if self._timer is not None:
            process.cancel_timer(self._timer)
        seconds = max(_MIN_SLEEP_SECONDS, min(self._seconds(), _MAX_SLEEP_SECONDS))
        self._timer = process.send_after(self.pid, DeliverDue(), seconds)

    def _seconds(self) -> float:
        if self._context.owned_for() <= 0:
            return LEASE_CHECK_SECONDS
        if self._in_flight and not self._capacity():
            return _MAX_SLEEP_SECONDS  # the end of an attempt comes first
        paused = max(self._breaker.open_until or 0.0, self._rests_until) - loop_time()
        if paused > 0:
            return paused
        if self._queue or self._next_due is None:
            return _MAX_SLEEP_SECONDS
        return self._next_due - time.time()


async def _run_attempt(context: DeliveryContext, attempt: Attempt) -> None:
    """Send the delivery and store the result."""
    stored = None
    try:
        result = await (_probe if attempt.probe else _send)(context, attempt)
        if result is not None:
            await record(attempt.delivery, result, trims=attempt.trims)
            stored = result
    finally:
        attempt.finished.set_result(stored)


async def _probe(context: DeliveryContext, attempt: Attempt) -> Result | None:
    """Wait for a probe slot, then send; return ``None`` if the delivery cannot be sent now."""
    waits = context.probes.locked()
    async with context.probes:
        if waits:
            # The endpoint can have been changed, disabled or removed during the wait.
            work = partial(endpoint_status.receiver, delivery=attempt.delivery)
            endpoint = await Store.run(work)
            if endpoint is None:
                return None
            attempt = replace(attempt, endpoint=endpoint)
        return await _send(context, attempt)


async def _send(context: DeliveryContext, attempt: Attempt) -> Result | None:
    """Send the delivery; return ``None`` if another program can own the database by now.

    The next owner reads the delivery from the store. A request that is cancelled can have arrived,
    so the receiver can get the same event twice.
    """
    entry = attempt.delivery.entry
    message_id, body = payload.message_id(entry.event), payload.body(entry)
    try:
        async with while_owned(context.owned_for):
            return await send(context.client, attempt.endpoint, message_id, body)
    except NotOwnerError:
        return None
