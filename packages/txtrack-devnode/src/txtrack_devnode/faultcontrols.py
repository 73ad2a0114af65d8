"""The ``dev_`` methods that make this node misbehave: no fault ever strikes them."""

from collections.abc import Mapping
from dataclasses import asdict

from txtrack_devnode import params
from txtrack_devnode.faults import Faults, describe, parse
from txtrack_devnode.rpc import INVALID_PARAMS, Method, RpcError

MOST_TOLD = 1_000


class FaultMethods:
    """Switches the faults of one node."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def table(self) -> Mapping[str, Method]:
        """List the methods by their names."""
        return {
            "dev_inject": self.inject,
            "dev_clear": self.clear,
            "dev_faults": self.active,
            "dev_injected": self.injected,
        }

    def inject(self, fault: object, /) -> object:
        """Switch on a fault, written as in ``stale-null:times=3``, and tell its number."""
        try:
            return self._faults.inject(parse(params.text(fault, "the fault")))
        except ValueError as error:
            raise RpcError(INVALID_PARAMS, str(error)) from None

    def clear(self, number: object = None, /) -> object:
        """Switch off one fault, or all, and tell how many that were."""
        wanted = None if number is None else params.number(number, "the fault's number")
        return self._faults.clear(wanted)

    def active(self) -> object:
        """List what is switched on, by number."""
        return {str(number): describe(fault) for number, fault in self._faults.active.items()}

    def injected(self, after: object = 0, /) -> object:
        """Tell how often each fault struck, and each time after number ``after``."""
        last = params.number(after, "the number")
        newer = [asdict(entry) for entry in self._faults.log if entry.number > last]
        return {"counts": self._faults.counts, "log": newer[:MOST_TOLD]}
