"""The supervision tree of the outbox."""

from dataclasses import dataclass
from typing import Any

from beamish import (
    IGNORE,
    AlreadyStartedError,
    Backoff,
    Down,
    DynamicSupervisor,
    GenServer,
    Ref,
    Registry,
    Supervisor,
    Task,
    process,
)
from transaction_tracker.delivery.context import REGISTRY, STARTER, WORKERS, DeliveryContext, via
from transaction_tracker.delivery.worker import DeliveryWorker
from transaction_tracker.domain.webhook_endpoint import MAX_ENDPOINTS
from transaction_tracker.net import CheckedClient
from transaction_tracker.store import Store, endpoints

# With this back-off, a worker that keeps crashing never reaches the maximum number of restarts:
# it is restarted ever later, and its events wait in the store.
_BACKOFF = Backoff(initial=0.1, factor=2.0, maximum=30.0, jitter=0.1, reset_after=60.0)
_MAX_RESTARTS = 30
_MAX_SECONDS = 60.0

_CHECK_INTERVAL_SECONDS = 60.0
# Longer than the shutdown of a delivery worker.
_OLD_OUTBOX_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class StartMissing:
    """Message: start a delivery worker for each endpoint that has none."""


class WaitForOldOutbox(GenServer):
    """Wait until all processes of an outbox that was killed have ended.

    Its supervisors finish the attempts in flight before they end, and keep their names until
    then. A start before that would fail for each name that is still taken, and the restarts
    would exceed the limit of the application's supervisor.
    """

    async def init(self) -> Any:
        """Wait, and then leave no process."""
        names = (STARTER, WORKERS, REGISTRY)
        await Task.async_(_all_free, names).await_(_OLD_OUTBOX_TIMEOUT_SECONDS)
        return IGNORE


class ClientCloser(GenServer):
    """Close the HTTP connections after all delivery workers have stopped.

    It starts before the workers, so the supervisor stops it after them.
    """

    def __init__(self, client: CheckedClient) -> None:
        self._client = client

    async def terminate(self, _reason: object) -> None:
        """Close the connections; a later request opens new ones."""
        await self._client.close()


class WorkerStarter(GenServer):
    """Start a delivery worker for each stored endpoint, and again if one is missing."""

    def __init__(self) -> None:
        self._timer: Ref | None = None

    async def init(self) -> None:
        """Start the workers of all endpoints."""
        await self._start_missing()

    async def handle_info(self, message: object) -> None:
        """Start missing workers periodically, and when the old worker of an endpoint ends."""
        match message:
            case StartMissing() | Down():
                await self._start_missing()
            case _:
                super().handle_info(message)

    async def _start_missing(self) -> None:
        children = await DynamicSupervisor.which_children(WORKERS)
        running = {child.id for child in children}
        for endpoint in await Store.run(endpoints.load_all):
            if via(endpoint.id) not in running:
                await self._start(endpoint.id)
        if self._timer is not None:
            process.cancel_timer(self._timer)
        self._timer = process.send_after(self.pid, StartMissing(), _CHECK_INTERVAL_SECONDS)

    async def _start(self, endpoint: str) -> None:
        try:
            await start_worker(endpoint)
        except AlreadyStartedError as error:
            # The worker of a supervisor that was killed: it ends once its attempts are finished,
            # and its `Down` message starts the new worker.
            process.monitor(error.pid)


class Outbox(Supervisor):
    """Deliver events to endpoints: at least once, and in order per transaction.

    Deliveries are stored in the same database transaction as their events. Each process of the
    outbox can be killed at any moment; after a restart it continues from the store.

    Args:
        context: HTTP client and limits.
    """

    def init(self, context: DeliveryContext) -> Any:
        """Return the children in the order in which they start."""
        # rest_for_one: workers are registered in the registry, and the starter starts them.
        return self.spec(
            [
                WaitForOldOutbox.child_spec(),
                ClientCloser.child_spec(context.client),
                Registry.child_spec(
                    keys="unique", name=REGISTRY, meta={DeliveryContext.KEY: context}
                ),
                DynamicSupervisor.child_spec(
                    name=WORKERS,
                    intensity="child",
                    max_restarts=_MAX_RESTARTS,
                    max_seconds=_MAX_SECONDS,
                    max_children=MAX_ENDPOINTS,
                    backoff=_BACKOFF,
                ),
                WorkerStarter.child_spec(name=STARTER),
            ],
            strategy="rest_for_one",
        )


async def _all_free(names: tuple[str, ...]) -> None:
    for name in names:
        process.monitor(name)  # sends `Down` at once if the name is free
        await process.receive()


async def start_worker(endpoint: str) -> None:
    """Start the delivery worker of an endpoint.

    Raises:
        AlreadyStartedError: The endpoint has a worker.
    """
    spec = DeliveryWorker.child_spec(endpoint, DeliveryContext.current(), name=via(endpoint))
    await DynamicSupervisor.start_child(WORKERS, spec)


async def stop_worker(endpoint: str) -> None:
    """Stop the delivery worker of an endpoint, if there is one."""
    pid = Registry.whereis(REGISTRY, endpoint)
    if pid is not None:
        await DynamicSupervisor.terminate_child(WORKERS, pid)
