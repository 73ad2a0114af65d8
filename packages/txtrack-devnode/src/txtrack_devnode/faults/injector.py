"""The active faults of a node, when each one is triggered, and a log of that."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Generic, TypeVar

from txtrack_devnode.chain import Chain
from txtrack_devnode.faults.errors import ErrorFault
from txtrack_devnode.faults.exchanges import ExchangeFault, Hang
from txtrack_devnode.faults.heads import LoadBalanced, SilentHeads
from txtrack_devnode.faults.kind import Call, Fault, ViewFault
from txtrack_devnode.faults.requests import RefusedBatch, RequestFault
from txtrack_devnode.faults.results import ResultFault
from txtrack_devnode.view import ChainView

MAX_FAULTS = 1_000
MAX_LOG_ENTRIES = 100_000

F_co = TypeVar("F_co", bound=Fault, covariant=True)
F = TypeVar("F", bound=Fault)


@dataclass(frozen=True, slots=True)
class Injection:
    """A log entry: one time that a fault was triggered.

    Attributes:
        number: Number of the entry, from 1.
        exchange: Number of the request or WebSocket message, from 1.
        fault: Number of the fault, as `FaultInjector.inject` returned it.
        name: Name of the fault.
        method: Method of the call that it applied to, or of the first of several.
    """

    number: int
    exchange: int
    fault: int
    name: str
    method: str


@dataclass(slots=True, eq=False)
class _ActiveFault(Generic[F_co]):
    number: int
    fault: F_co
    random: Random
    left: int | None
    cleared: asyncio.Event = field(default_factory=asyncio.Event)


class FaultInjector:
    """Injects faults into one node, reproducibly for the same seed and requests.

    Each fault has its own random numbers, so injecting one does not change the others.

    Args:
        chain: The chain of the node, which faults do not change.
        seed: Any printable value; it decides when a fault with a ``probability`` is triggered.
    """

    def __init__(self, chain: Chain, seed: object = 0) -> None:
        self.counts: Counter[str] = Counter()
        self.log: deque[Injection] = deque(maxlen=MAX_LOG_ENTRIES)
        self._chain = chain
        self._seed = seed
        self._active: dict[int, _ActiveFault[Fault]] = {}
        self._used_hangs: dict[int, _ActiveFault[Fault]] = {}
        self._injected = 0
        self._exchanges = 0
        self._current = 0
        self._triggered = 0

    # Injection

    @property
    def active(self) -> Mapping[int, Fault]:
        """The active faults by number, without faults whose ``times`` are used up."""
        return {number: entry.fault for number, entry in self._active.items()}

    def inject(self, fault: Fault) -> int:
        """Inject a fault and return its number.

        Raises:
            ChainError: The fault names a block or a fork that does not exist.
            ValueError: Too many faults are active.
        """
        if len(self._active) >= MAX_FAULTS:
            raise ValueError(f"at most {MAX_FAULTS} faults at once: clear some first")
        resolved = fault.resolved(self._chain)
        self._injected += 1
        random = Random(f"{self._seed}:{self._injected}")  # noqa: S311 - not used for secrets
        self._active[self._injected] = _ActiveFault(self._injected, resolved, random, fault.times)
        return self._injected

    def clear(self, number: int | None = None) -> int:
        """Clear one fault, or all; requests that hang because of it continue.

        Returns:
            Number of cleared faults. Used-up faults count only if requests can still hang.
        """
        entries = self._active | self._used_hangs
        numbers = list(entries) if number is None else [number] if number in entries else []
        for key in numbers:
            entries[key].cleared.set()
            self._active.pop(key, None)
            self._used_hangs.pop(key, None)
        return len(numbers)

    # Requests

    def begin(self) -> int:
        """Start a request and return its number; log entries from now on have this number."""
        self._exchanges += 1
        self._current = self._exchanges
        return self._current

    def resume(self, number: int) -> None:
        """Continue a request after a wait in which other requests ran."""
        self._current = number

    def exchange(self, calls: Sequence[Call]) -> Iterator[tuple[ExchangeFault, asyncio.Event]]:
        """Yield the faults that apply to a request, in order of injection, with their end."""
        for entry in self._of(ExchangeFault):
            if self._triggers(entry, calls):
                yield entry.fault, entry.cleared

    def state(self, calls: Sequence[Call]) -> Chain | ChainView:
        """Return the state that a request sees; of several faults, the lowest head wins."""
        views = [
            entry.fault.view(self._chain, entry.random)
            for entry in self._of(ViewFault)
            if not _splits(entry.fault) and self._triggers(entry, calls)
        ]
        return _lowest(views, self._chain)

    def split(self, call: Call, state: Chain | ChainView) -> Chain | ChainView:
        """Return the state that one call of a batch sees, under a load balancer that splits it."""
        for entry in self._of(LoadBalanced):
            if entry.fault.split and self._triggers(entry, [call]):
                return entry.fault.view(self._chain, entry.random)
        return state

    def batch(self, calls: Sequence[Call]) -> RefusedBatch | None:
        """Return the fault that refuses a batch, or ``None``."""
        for entry in self._of(RefusedBatch):
            if len(calls) > entry.fault.limit and self._triggers(entry, calls):
                return entry.fault
        return None

    def requests(self, call: Call, request: dict[str, object]) -> list[dict[str, object]]:
        """Return the requests that are handled in place of one request."""
        for entry in self._of(RequestFault):
            if self._triggers(entry, [call]):
                return entry.fault.replaced(request)
        return [request]

    def call(self, call: Call, run: Callable[[], object], state: Chain | ChainView) -> object:
        """Make a call and return its result, both under the active faults.

        Raises:
            RpcError: From a fault, or from the call itself.
        """
        for refusing in self._of(ErrorFault):
            if self._triggers(refusing, [call]):
                raise refusing.fault.error(call.method)
        result = run()
        for entry in self._of(ResultFault):
            # A result of ``null`` is never changed, so a fault cannot invent data.
            if result is None or not entry.fault.concerns(call):
                continue
            changed = entry.fault.changed(call, result, state)
            if changed is not result and self._triggers(entry, [call]):
                result = changed
        return result

    # Subscriptions and pings

    @property
    def hanging(self) -> bool:
        """Whether the node answers nothing at all."""
        return any(entry.fault.constant for entry in self._of(Hang))

    @property
    def silent(self) -> bool:
        """Whether subscribers get no notifications."""
        return self.hanging or any(entry.fault.constant for entry in self._of(SilentHeads))

    def constant_state(self) -> Chain | ChainView:
        """Return the state that subscribers see: only constant faults change it."""
        constant = [entry for entry in self._of(ViewFault) if entry.fault.constant]
        views = [entry.fault.view(self._chain, entry.random) for entry in constant]
        return _lowest(views, self._chain)

    def _of(self, kind: type[F]) -> list["_ActiveFault[F]"]:
        if not self._active:
            return []
        return [
            entry  # type: ignore[misc]
            for entry in self._active.values()
            if isinstance(entry.fault, kind)
        ]

    def _triggers(self, entry: _ActiveFault[Fault], calls: Sequence[Call]) -> bool:
        """Return whether the fault applies to the calls; if so, count and log it."""
        # During a wait of this request, another one can have used or cleared the fault.
        if entry.left == 0 or entry.cleared.is_set():
            return False
        fault = entry.fault
        affected = next((call for call in calls if fault.concerns(call)), None)
        if affected is None or entry.random.random() >= fault.probability:
            return False
        self._use_up(entry)
        self._log(entry, affected)
        return True

    def _log(self, entry: _ActiveFault[Fault], affected: Call) -> None:
        name = entry.fault.name
        self.counts[name] += 1
        self._triggered += 1
        self.log.append(
            Injection(self._triggered, self._current, entry.number, name, affected.method)
        )

    def _use_up(self, entry: _ActiveFault[Fault]) -> None:
        if entry.left is None:
            return
        entry.left -= 1
        if entry.left == 0:
            del self._active[entry.number]
            if isinstance(entry.fault, Hang):  # requests that hang wait for it to be cleared
                self._used_hangs[entry.number] = entry


def _splits(fault: ViewFault) -> bool:
    return isinstance(fault, LoadBalanced) and fault.split


def _lowest(views: Sequence[Chain | ChainView], chain: Chain) -> Chain | ChainView:
    return min(views, key=lambda view: view.head.number, default=chain)
