"""`Departure`: the states that the children of a supervisor hand over when their host leaves."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

from beamish._runtime.context import current_pid
from beamish._runtime.process import OnDeath
from beamish._runtime.runtime import running
from beamish.child_spec import ChildSpec
from beamish.cluster._store.protocol import Name
from beamish.pid import Pid

_log = logging.getLogger("beamish")

MAX_HANDOFF_BYTES = 256 * 2**10
_CALLS_PER_TURN = 64


class Departure:
    """The children that hand their state over, from before they are stopped until `states`.

    Only a child that ends with ``"shutdown"`` hands over: one that crashes in ``terminate``, or
    that is killed because it takes too long, has no state that the next process could trust.

    Args:
        children: The running children.
    """

    def __init__(self, children: Iterable[tuple[Pid, ChildSpec]]) -> None:
        self._servers: dict[Pid, tuple[Name, Any]] = {}
        for pid, spec in children:
            process: Any = pid._process
            if process is not None and process.table.handoff is not None:
                name = Name(*spec.start.name.name)  # type: ignore[attr-defined] # checked by start_child
                # Kept here: a dead process has no server any longer.
                self._servers[pid] = name, process.server
                process.watch(OnDeath(self._died))

    def _died(self, pid: Pid, reason: Any) -> None:
        if not (isinstance(reason, str) and reason == "shutdown"):
            del self._servers[pid]

    async def states(self) -> dict[Name, bytes]:
        """Call ``handoff`` of each child, all of which have ended; return what they hand over."""
        runtime: Any = running()
        found: dict[Name, bytes] = {}
        for count, (pid, (name, server)) in enumerate(self._servers.items()):
            if count % _CALLS_PER_TURN == 0:
                await asyncio.sleep(0)
            # A callback like all others: without the lease, another host can own the shard.
            await runtime.leased()
            state = runtime.context.copy().run(_state_of, pid, server)
            if state is not None:
                found[name] = state
        return found


def _state_of(pid: Pid, server: Any) -> bytes | None:
    """Return the state that a server hands over, or ``None`` if it has none or cannot."""
    current_pid.set(pid)
    title = f"{type(server).__qualname__}.handoff of {pid!r}"
    try:
        state = server.handoff()
    except Exception:  # of the child's code: the others must still hand over
        _log.exception("%s raised; the next process of the name starts without its state", title)
        return None
    if state is None:
        return None
    if not isinstance(state, bytes):
        problem = f"returned {type(state).__qualname__}; expected bytes or None"
    elif len(state) > MAX_HANDOFF_BYTES:
        problem = f"returned {len(state)} bytes; the limit is {MAX_HANDOFF_BYTES}"
    else:
        return state
    _log.error("%s %s; the next process of the name starts without its state", title, problem)
    return None
