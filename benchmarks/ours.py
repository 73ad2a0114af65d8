"""The same thing with beamish."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from beamish import DynamicSupervisor, ExitError, GenServer, Pid, Registry, call, cast, process
from benchmarks.implementation import Implementation
from benchmarks.latch import LATCH

REGISTRY = "TransactionTracker.Registry"
SUPERVISOR = "TransactionTracker.TrackerSupervisor"
MAX_RESTARTS = 1_000_000_000


class TransactionTracker(GenServer, restart="transient"):
    """A tracker of one transaction."""

    def __init__(self, transaction_id: str) -> None:
        self.transaction_id = transaction_id
        self.bumps = 0

    @classmethod
    async def track(cls, transaction_id: str) -> Pid:
        """Start a supervised server and register it."""
        name = Registry.via(REGISTRY, transaction_id)
        spec = cls.child_spec(transaction_id, name=name)
        return await DynamicSupervisor.start_child(SUPERVISOR, spec)

    @call
    def status(self) -> int:
        """Ask for the state."""
        return self.bumps

    @cast
    def bump(self) -> None:
        """Change the state."""
        self.bumps += 1

    @cast
    def arrive(self) -> None:
        """Count down the latch."""
        self.bumps += 1
        LATCH.arrive()

    @cast
    def break_down(self) -> None:
        """Raise in the server, with nobody who waits."""
        raise RuntimeError("crash")

    @call
    def fail(self) -> None:
        """Raise in the server."""
        raise RuntimeError("crash")


def lookup(transaction_id: str) -> Pid | None:
    """Find the server of a transaction."""
    return Registry.whereis(REGISTRY, transaction_id)


async def crash(pid: Pid) -> None:
    """Send a request that raises in the server."""
    try:
        await TransactionTracker.fail(pid)
    except ExitError:
        return


async def stop() -> None:
    """Stop the supervisor and with it all servers."""
    await DynamicSupervisor.stop(SUPERVISOR)


@asynccontextmanager
async def running() -> AsyncIterator[None]:
    """Run the registry and the supervisor."""
    # Crashes are reported to nobody, as in the other two implementations.
    logging.getLogger("beamish").setLevel(logging.CRITICAL + 1)
    async with process.attach():
        await Registry.start_link(keys="unique", name=REGISTRY)
        await DynamicSupervisor.start_link(name=SUPERVISOR, max_restarts=MAX_RESTARTS)
        yield


def implementation() -> Implementation[Pid]:
    """Return the functions that the loops call."""
    return Implementation(
        running=running,
        start=TransactionTracker.track,
        stop=stop,
        call=TransactionTracker.status,
        call_within=TransactionTracker.status,  # five seconds unless told otherwise
        bump=TransactionTracker.bump,
        arrive=TransactionTracker.arrive,
        lookup=lookup,
        crash=crash,
        break_down=TransactionTracker.break_down,
    )
