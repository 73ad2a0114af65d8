"""What supervisors decide, as pure functions of what they see: no await, no clock."""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar

from beamish.child_spec import Restart
from beamish.results import CANCELLED, is_clean

Strategy: TypeAlias = Literal["one_for_one", "one_for_all", "rest_for_one"]
AutoShutdown: TypeAlias = Literal["never", "any_significant", "all_significant"]

STRATEGIES = ("one_for_one", "one_for_all", "rest_for_one")
AUTO_SHUTDOWNS = ("never", "any_significant", "all_significant")

Child = TypeVar("Child")


@dataclass(slots=True)
class RestartWindow:
    """Restarts seen in the last ``max_seconds``."""

    max_restarts: int
    max_seconds: float
    _times: deque[float] = field(default_factory=deque)

    def allow(self, now: float) -> bool:
        """Record a restart at ``now`` and say whether the supervisor may go on."""
        self._times.append(now)
        while now - self._times[0] > self.max_seconds:
            self._times.popleft()
        return len(self._times) <= self.max_restarts

    def used(self, now: float) -> int:
        """Count the restarts that still matter at ``now``."""
        return sum(1 for time in self._times if now - time <= self.max_seconds)


def restarts(restart: Restart, reason: Any) -> bool:
    """Say whether a child that exited for ``reason`` is to be started again.

    Not when its task was cancelled: that is how an event loop ends, and nothing starts then. Nor
    when it called ``sys.exit`` or was interrupted, which ends the program.

    Source:
        The restart values of Elixir's ``Supervisor``.
    """
    if reason is CANCELLED or isinstance(reason, SystemExit | KeyboardInterrupt):
        return False
    if restart == "permanent":
        return True
    return restart == "transient" and not is_clean(reason)


def affected(strategy: Strategy, children: Iterable[Child], failed: Child) -> Sequence[Child]:
    """List, in start order, the children that are stopped and started when one has failed.

    With ``"one_for_one"`` the others are not even looked at, however many there are.
    """
    if strategy == "one_for_one":
        return [failed]
    everyone = list(children)
    return everyone if strategy == "one_for_all" else everyone[everyone.index(failed) :]
