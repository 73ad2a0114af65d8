"""The tree of the outbox: who delivers, and who sees to it that somebody does."""

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
from transaction_tracker.net import CheckedClient
from transaction_tracker.outbox.context import COURIERS, KEEPER, REGISTRY, Context, via
from transaction_tracker.outbox.courier import Courier
from transaction_tracker.store import Store, endpoints
from transaction_tracker.store.endpoints import MAX_ENDPOINTS

# With these it comes back ever later, and is never given up: events wait for it in the store.
_BACKOFF = Backoff(initial=0.1, factor=2.0, maximum=30.0, jitter=0.1, reset_after=60.0)
_MAX_RESTARTS = 30
_MAX_SECONDS = 60.0

_LOOK_SECONDS = 60.0
# Couriers have less to finish what is under way.
_PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Look:
    """See whether each endpoint has its courier."""


class Predecessor(GenServer):
    """Wait until all of an outbox that was killed has gone.

    Its supervisors finish what is under way before they end, and have the names until then: a
    start that met them would fail, again and again, until the whole application gives up.
    """

    async def init(self) -> Any:
        """Be gone when they are."""
        await Task.async_(_all_free, (KEEPER, COURIERS, REGISTRY)).await_(_PATIENCE_SECONDS)
        return IGNORE


class Connections(GenServer):
    """Let go of the connections when all who used them have stopped."""

    def __init__(self, client: CheckedClient) -> None:
        self._client = client

    async def terminate(self, _reason: object) -> None:
        """Close the connections; whoever comes next opens them again."""
        await self._client.close()


class Keeper(GenServer):
    """Give each stored endpoint a courier, at the start and whenever one is missing."""

    def __init__(self) -> None:
        self._timer: Ref | None = None

    async def init(self) -> None:
        """Start all of them while the tree starts."""
        await self._look()

    async def handle_info(self, message: object) -> None:
        """Look again from time to time, and when a name becomes free."""
        match message:
            case Look() | Down():
                await self._look()
            case _:
                super().handle_info(message)

    async def _look(self) -> None:
        children = await DynamicSupervisor.which_children(COURIERS)
        known = {child.id for child in children}
        for endpoint in await Store.run(endpoints.load_all):
            if via(endpoint.id) not in known:
                await self._start(endpoint.id)
        if self._timer is not None:
            process.cancel_timer(self._timer)
        self._timer = process.send_after(self.pid, Look(), _LOOK_SECONDS)

    async def _start(self, endpoint: str) -> None:
        try:
            await start_courier(endpoint)
        except AlreadyStartedError as error:
            # That of a supervisor that was killed: it finishes what is under way, and goes.
            process.monitor(error.pid)


class Outbox(Supervisor):
    """Delivers events to endpoints: at least once, and in order for each transaction.

    What is to be delivered is in the store, in the same database transaction as the events.
    All of this may be killed at any moment, and goes on from there.

    Args:
        context: How endpoints are reached, and how much at once.
    """

    def init(self, context: Context) -> Any:
        """List the tree in the order it starts in."""
        # rest_for_one: couriers are found by the registry, and are started by the keeper.
        return self.spec(
            [
                Predecessor.child_spec(),
                Connections.child_spec(context.client),
                Registry.child_spec(keys="unique", name=REGISTRY, meta={Context.KEY: context}),
                DynamicSupervisor.child_spec(
                    name=COURIERS,
                    intensity="child",
                    max_restarts=_MAX_RESTARTS,
                    max_seconds=_MAX_SECONDS,
                    max_children=MAX_ENDPOINTS,
                    backoff=_BACKOFF,
                ),
                Keeper.child_spec(name=KEEPER),
            ],
            strategy="rest_for_one",
        )


async def _all_free(names: tuple[str, ...]) -> None:
    for name in names:
        process.monitor(name)  # a name that nobody has is down at once
        await process.receive()


async def start_courier(endpoint: str) -> None:
    """Give an endpoint its courier, or raise ``AlreadyStartedError``."""
    spec = Courier.child_spec(endpoint, Context.current(), name=via(endpoint))
    await DynamicSupervisor.start_child(COURIERS, spec)


async def stop_courier(endpoint: str) -> None:
    """Take an endpoint's courier away."""
    pid = Registry.whereis(REGISTRY, endpoint)
    if pid is not None:
        await DynamicSupervisor.terminate_child(COURIERS, pid)
