"""The sender: delivers notices of alerts to webhook endpoints, from memory."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from beamish import Exit, GenServer, Pid, Ref, process
from transaction_tracker.alerts import names
from transaction_tracker.alerts.board import AlertBoard, NoticeQueue
from transaction_tracker.alerts.names import SendNotices
from transaction_tracker.awake import loop_time
from transaction_tracker.delivery.attempt import Result, send
from transaction_tracker.delivery.schedule import jitter, next_delay
from transaction_tracker.domain.alert import AlertNotice
from transaction_tracker.domain.webhook_endpoint import WebhookEndpoint
from transaction_tracker.net import CheckedClient

# Attempts in flight at all endpoints together; there is at most one at each endpoint.
MAX_ATTEMPTS = 64
# The delays of an event's first attempts are used; then the delay stays at ten minutes, because an
# alert that is hours old helps nobody.
MAX_DELAY_FAILURES = 4
MAX_RETRY_AFTER_SECONDS = 3_600.0
# A notice is dropped after a failed attempt if it is older than this.
MAX_NOTICE_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class NoticeAttempt:
    """An attempt in flight.

    Attributes:
        notice: The notice.
        result: Done when the attempt has ended; ``None`` if it crashed.
    """

    notice: AlertNotice
    result: asyncio.Future[Result | None] = field(repr=False)


class AlertSender(GenServer, trap_exit=True):
    """Deliver the notices of the board: to each endpoint one at a time, in order, at least once.

    Does not use the outbox or the database, so that alerts about them arrive. Attempts are signed,
    limited and checked as those of events. Each runs in a process of its own: one that crashes
    counts as failed.

    Args:
        board: The notices; survives a restart of this process, which repeats the attempts that
            were in flight.
        client: HTTP client. Not that of the outbox, which closes it at each restart.
    """

    def __init__(self, board: AlertBoard, client: CheckedClient) -> None:
        self._board = board
        self._client = client
        self._in_flight: dict[Pid, NoticeAttempt] = {}
        self._timer: Ref | None = None

    def init(self) -> None:
        """Start with the notices that are left on the board."""
        process.send(self.pid, SendNotices())

    def handle_cast(self, _request: SendNotices) -> None:
        """Start the attempts that are due."""
        self._start_due()

    def handle_info(self, message: object) -> None:
        """Start the attempts that are due, and handle the ends of attempts."""
        match message:
            case SendNotices():
                self._start_due()
            case Exit(pid) if pid in self._in_flight:
                self._ended(self._in_flight.pop(pid))
                self._start_due()
            case _:
                super().handle_info(message)

    async def terminate(self, _reason: object) -> None:
        """Close the connections. Notices in flight are sent again after a restart."""
        await self._client.close()

    def _start_due(self) -> None:
        now = loop_time()
        waiting = sorted(self._waiting(), key=lambda queue: (queue.failures, queue.due_at))
        for queue in waiting:
            if queue.due_at <= now and len(self._in_flight) < MAX_ATTEMPTS:
                self._start(queue.notices[0])
        self._sleep(min((queue.due_at for queue in waiting if queue.due_at > now), default=None))

    def _waiting(self) -> Iterator[NoticeQueue]:
        """Yield the queues of enabled endpoints that have a notice and no attempt in flight."""
        busy = {attempt.notice.endpoint for attempt in self._in_flight.values()}
        for key, queue in self._board.queues.items():
            endpoint = self._board.endpoints.get(key)
            if queue.notices and key not in busy and endpoint is not None and endpoint.enabled:
                yield queue

    def _start(self, notice: AlertNotice) -> None:
        result = asyncio.get_running_loop().create_future()
        endpoint = self._board.endpoints[notice.endpoint]
        pid = process.spawn_link(_run_attempt, self._client, endpoint, notice, result)
        self._in_flight[pid] = NoticeAttempt(notice, result)

    def _ended(self, attempt: NoticeAttempt) -> None:
        notice, board = attempt.notice, self._board
        result = attempt.result.result() if attempt.result.done() else None
        queue = board.queues.get(notice.endpoint)
        if queue is None:
            return  # the endpoint was removed meanwhile
        if result is not None and result.delivered:
            queue.failures, queue.failed_at, queue.due_at = 0, None, 0.0
            board.delivered(notice)
        else:
            self._failed(queue, notice, result or Result("crashed", error="the attempt crashed"))
        names.sync()

    def _failed(self, queue: NoticeQueue, notice: AlertNotice, result: Result) -> None:
        queue.failures += 1
        queue.failed_at = queue.failed_at or time.time()
        asked = min(result.retry_after or 0.0, MAX_RETRY_AFTER_SECONDS)
        delay = next_delay(min(queue.failures, MAX_DELAY_FAILURES), jitter(), asked)
        queue.due_at = loop_time() + (delay or 0.0)
        if result.outcome == "gone":
            error = f"it rejects further deliveries: {result.error}"
            self._board.gone(notice.endpoint, error)
        elif time.time() - notice.created_at > MAX_NOTICE_SECONDS:
            self._board.drop(notice, f"not accepted for a day; {result.error or result.outcome}")

    def _sleep(self, until: float | None) -> None:
        """Schedule the next attempt; without one, an attempt's end or a new notice comes first."""
        if self._timer is not None:
            process.cancel_timer(self._timer)
            self._timer = None
        if until is not None:
            seconds = max(0.0, until - loop_time())
            self._timer = process.send_after(self.pid, SendNotices(), seconds)


async def _run_attempt(
    client: CheckedClient,
    endpoint: WebhookEndpoint,
    notice: AlertNotice,
    result: asyncio.Future[Result | None],
) -> None:
    result.set_result(await send(client, endpoint, notice.message_id, notice.body))
