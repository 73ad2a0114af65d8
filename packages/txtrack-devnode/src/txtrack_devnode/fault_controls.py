"""The ``dev_`` methods that control the faults of a node. No fault applies to them."""

from collections.abc import Mapping
from dataclasses import asdict

from txtrack_devnode import params
from txtrack_devnode.faults import FaultInjector, describe, parse
from txtrack_devnode.rpc import INVALID_PARAMS, Method, RpcError

MAX_LOG_ENTRIES = 1_000


class FaultMethods:
    """Methods that inject, list and clear the faults of one node."""

    def __init__(self, faults: FaultInjector) -> None:
        self._faults = faults

    def table(self) -> Mapping[str, Method]:
        """Return the methods by name."""
        return {
            "dev_inject": self.inject,
            "dev_clear": self.clear,
            "dev_faults": self.active,
            "dev_injected": self.injected,
        }

    def inject(self, fault: object, /) -> object:
        """Inject a fault, written as in ``stale-null:times=3``, and return its number."""
        try:
            return self._faults.inject(parse(params.text(fault, "the fault")))
        except ValueError as error:
            raise RpcError(INVALID_PARAMS, str(error)) from None

    def clear(self, number: object = None, /) -> object:
        """Clear one fault, or all, and return how many were cleared."""
        cleared = None if number is None else params.number(number, "the fault's number")
        return self._faults.clear(cleared)

    def active(self) -> object:
        """Return the active faults by number."""
        return {str(number): describe(fault) for number, fault in self._faults.active.items()}

    def injected(self, after: object = 0, /) -> object:
        """Return the count of each fault, and the log entries with numbers above ``after``."""
        last = params.number(after, "the number")
        newer = [asdict(entry) for entry in self._faults.log if entry.number > last]
        return {"counts": self._faults.counts, "log": newer[:MAX_LOG_ENTRIES]}
