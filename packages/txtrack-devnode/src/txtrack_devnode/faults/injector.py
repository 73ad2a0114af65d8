"""Which faults are switched on, whether each strikes, and a log of all that did."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Generic, TypeVar

from txtrack_devnode.chain import Chain
from txtrack_devnode.faults.distortions import Distortion
from txtrack_devnode.faults.exchanges import ExchangeFault, Hang
from txtrack_devnode.faults.heads import LoadBalanced, SilentHeads
from txtrack_devnode.faults.kind import Call, Fault, ViewFault
from txtrack_devnode.faults.refusals import Refusal
from txtrack_devnode.faults.requests import RefusedBatch, RequestFault
from txtrack_devnode.view import ChainView

MOST_FAULTS = 1_000
MOST_LOGGED = 100_000

F_co = TypeVar("F_co", bound=Fault, covariant=True)
F = TypeVar("F", bound=Fault)


@dataclass(frozen=True, slots=True)
class Injection:
    """One strike of a fault.

    Attributes:
        number: 1 for the first of this node, then upwards.
        exchange: Which exchange it was in: 1 for the first request or message, then upwards.
        fault: The number that ``Faults.inject`` gave the fault.
        name: The fault's name.
        method: The method of the call that it struck; the first one, if it struck several.
    """

    number: int
    exchange: int
    fault: int
    name: str
    method: str


@dataclass(slots=True, eq=False)
class _Active(Generic[F_co]):
    number: int
    fault: F_co
    chance: Random
    left: int | None
    cleared: asyncio.Event = field(default_factory=asyncio.Event)


class Faults:
    """Makes one node misbehave, the same way whenever the seed and the requests are the same.

    Each fault has a chance of its own, so that adding one changes nothing about the others.

    Args:
        chain: The chain that the node answers from; faults never change it.
        seed: Anything printable; it decides what faults with a ``probability`` strike.
    """

    def __init__(self, chain: Chain, seed: object = 0) -> None:
        self.counts: Counter[str] = Counter()
        self.log: deque[Injection] = deque(maxlen=MOST_LOGGED)
        self._chain = chain
        self._seed = seed
        self._active: dict[int, _Active[Fault]] = {}
        self._spent: dict[int, _Active[Fault]] = {}
        self._injected = 0
        self._exchanges = 0
        self._current = 0
        self._struck = 0

    # Switching on and off

    @property
    def active(self) -> Mapping[int, Fault]:
        """The faults that are switched on, by their numbers, without those that are used up."""
        return {number: entry.fault for number, entry in self._active.items()}

    def inject(self, fault: Fault) -> int:
        """Switch a fault on, next to those that are, and return its number.

        Raises:
            ChainError: It is about a block that does not exist.
            ValueError: Too many are switched on.
        """
        if len(self._active) >= MOST_FAULTS:
            raise ValueError(f"at most {MOST_FAULTS} faults at once: clear some first")
        settled = fault.settled(self._chain)
        self._injected += 1
        chance = Random(f"{self._seed}:{self._injected}")  # noqa: S311 - no secret hangs on it
        self._active[self._injected] = _Active(self._injected, settled, chance, fault.times)
        return self._injected

    def clear(self, number: int | None = None) -> int:
        """Switch one fault off, or all; what hangs because of it goes on.

        Returns:
            How many that were; one that is used up counts only if it is a hang.
        """
        entries = self._active | self._spent
        numbers = list(entries) if number is None else [number] if number in entries else []
        for key in numbers:
            entries[key].cleared.set()
            self._active.pop(key, None)
            self._spent.pop(key, None)
        return len(numbers)

    # Striking

    def begin(self) -> int:
        """Begin an exchange: what strikes from now on belongs to it; return its number."""
        self._exchanges += 1
        self._current = self._exchanges
        return self._current

    def resume(self, number: int) -> None:
        """Go on with an exchange that has waited while others went on."""
        self._current = number

    def exchange(self, calls: Sequence[Call]) -> Iterator[tuple[ExchangeFault, asyncio.Event]]:
        """Yield what strikes an exchange, in the order of injection, with its end."""
        for entry in self._of(ExchangeFault):
            if self._strikes(entry, calls):
                yield entry.fault, entry.cleared

    def state(self, calls: Sequence[Call]) -> Chain | ChainView:
        """Tell from what an exchange is answered; with several such faults, from the lowest."""
        views = [
            entry.fault.view(self._chain, entry.chance)
            for entry in self._of(ViewFault)
            if not _splits(entry.fault) and self._strikes(entry, calls)
        ]
        return _lowest(views, self._chain)

    def split(self, call: Call, state: Chain | ChainView) -> Chain | ChainView:
        """Return from what one call is answered, where the calls of a batch go separate ways."""
        for entry in self._of(LoadBalanced):
            if entry.fault.split and self._strikes(entry, [call]):
                return entry.fault.view(self._chain, entry.chance)
        return state

    def batch(self, calls: Sequence[Call]) -> RefusedBatch | None:
        """Tell why a batch is refused, if it is."""
        for entry in self._of(RefusedBatch):
            if len(calls) > entry.fault.limit and self._strikes(entry, calls):
                return entry.fault
        return None

    def requests(self, call: Call, request: dict[str, object]) -> list[dict[str, object]]:
        """Tell what is answered in place of one request: mostly itself."""
        for entry in self._of(RequestFault):
            if self._strikes(entry, [call]):
                return entry.fault.instead(request)
        return [request]

    def call(self, call: Call, run: Callable[[], object], state: Chain | ChainView) -> object:
        """Make a call, or refuse it, and give its result, right or wrong.

        Raises:
            RpcError: A fault refuses the call, or the call itself failed.
        """
        for refusal in self._of(Refusal):
            if self._strikes(refusal, [call]):
                raise refusal.fault.error(call.method)
        result = run()
        for entry in self._of(Distortion):
            # Only what is there can be made wrong: of nothing, ``null`` is the truth.
            if result is None or not entry.fault.concerns(call):
                continue
            distorted = entry.fault.distorted(call, result, state)
            if distorted is not result and self._strikes(entry, [call]):
                result = distorted
        return result

    # What is not asked for: subscriptions and pings

    @property
    def hanging(self) -> bool:
        """Whether nothing at all is answered."""
        return any(entry.fault.constant for entry in self._of(Hang))

    @property
    def silent(self) -> bool:
        """Whether subscribers get no news."""
        return self.hanging or any(entry.fault.constant for entry in self._of(SilentHeads))

    def constant_state(self) -> Chain | ChainView:
        """Tell from what subscribers are told: chance has no part in it."""
        constant = [entry for entry in self._of(ViewFault) if entry.fault.constant]
        views = [entry.fault.view(self._chain, entry.chance) for entry in constant]
        return _lowest(views, self._chain)

    def _of(self, kind: type[F]) -> list["_Active[F]"]:
        if not self._active:
            return []
        return [
            entry  # type: ignore[misc]
            for entry in self._active.values()
            if isinstance(entry.fault, kind)
        ]

    def _strikes(self, entry: _Active[Fault], calls: Sequence[Call]) -> bool:
        """Draw, and log what comes of it."""
        if entry.left == 0 or entry.cleared.is_set():  # while this exchange waited for another
            return False
        fault = entry.fault
        struck = next((call for call in calls if fault.concerns(call)), None)
        if struck is None or entry.chance.random() >= fault.probability:
            return False
        self._use_up(entry)
        self._note(entry, struck)
        return True

    def _note(self, entry: _Active[Fault], struck: Call) -> None:
        name = entry.fault.name
        self.counts[name] += 1
        self._struck += 1
        self.log.append(Injection(self._struck, self._current, entry.number, name, struck.method))

    def _use_up(self, entry: _Active[Fault]) -> None:
        if entry.left is None:
            return
        entry.left -= 1
        if entry.left == 0:
            del self._active[entry.number]
            if isinstance(entry.fault, Hang):  # what hangs already waits for its end
                self._spent[entry.number] = entry


def _splits(fault: ViewFault) -> bool:
    return isinstance(fault, LoadBalanced) and fault.split


def _lowest(views: Sequence[Chain | ChainView], chain: Chain) -> Chain | ChainView:
    return min(views, key=lambda view: view.head.number, default=chain)
