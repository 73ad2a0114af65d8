"""The same thing with beamish through the standard interface, as a user of OTP writes it first."""

from collections.abc import Hashable
from typing import Any

from beamish import DynamicSupervisor, ExitError, From, GenServer, Pid, Registry, Via, process
from benchmarks.implementation import Implementation, Requests
from benchmarks.latch import LATCH
from benchmarks.ours import REGISTRY, SUPERVISOR, running, stop


class StandardTracker(GenServer, restart="transient"):
    """A tracker of one transaction."""

    def __init__(self, transaction_id: Hashable) -> None:
        self.transaction_id = transaction_id
        self.bumps = 0

    def handle_call(self, request: Any, from_: From) -> int:
        """Return the state, or raise."""
        if request == "status":
            return self.bumps
        raise RuntimeError("crash")

    def handle_cast(self, request: Any) -> None:
        """Change the state."""
        self.bumps += 1
        if request == "arrive":
            LATCH.arrive()


async def track(transaction_id: Hashable) -> Pid:
    """Start a supervised server and register it."""
    spec = StandardTracker.child_spec(transaction_id, name=via(transaction_id))
    return await DynamicSupervisor.start_child(SUPERVISOR, spec)


def via(transaction_id: Hashable) -> Via:
    """Return the via name of a transaction's server."""
    return Registry.via(REGISTRY, transaction_id)


def lookup(transaction_id: Hashable) -> Pid | None:
    """Find the server of a transaction."""
    found = Registry.lookup(REGISTRY, transaction_id)
    return found[0][0] if found else None


async def crash(server: Pid) -> None:
    """Send a request that raises in the server."""
    try:
        await GenServer.call(server, "crash")
    except ExitError:
        return


def implementation() -> Implementation[Pid]:
    """Return the functions that the loops call."""
    return Implementation(
        running=running,
        start=track,
        stop=stop,
        call=GenServer.call,
        call_within=GenServer.call,  # five seconds unless told otherwise
        bump=GenServer.cast,
        arrive=GenServer.cast,
        lookup=lookup,
        crash=crash,
        via=via,
        register=process.register,
        requests=Requests("status", "bump", "arrive"),
    )
