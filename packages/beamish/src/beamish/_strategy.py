"""The decisions of supervisors, as pure functions without await or clock."""

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
    """The restarts of the last ``max_seconds`` seconds."""

    max_restarts: int
    max_seconds: float
    _times: deque[float] = field(default_factory=deque)

    def allow(self, now: float) -> bool:
        """Record a restart at ``now``; return whether the limit allows it."""
        self._times.append(now)
        while now - self._times[0] > self.max_seconds:
            self._times.popleft()
        return len(self._times) <= self.max_restarts

    def used(self, now: float) -> int:
        """Return the number of restarts that count at ``now``."""
        return sum(1 for time in self._times if now - time <= self.max_seconds)


def restarts(restart: Restart, reason: Any) -> bool:
    """Return whether a child that exited with ``reason`` must be restarted.

    False when its task was cancelled, because then the event loop is ending. False also when it
    called ``sys.exit`` or was interrupted, because then the program is ending.

    Source:
        The restart values of Elixir's ``Supervisor``.
    """
    if reason is CANCELLED or isinstance(reason, SystemExit | KeyboardInterrupt):
        return False
    if restart == "permanent":
        return True
    return restart == "transient" and not is_clean(reason)


def affected(strategy: Strategy, children: Iterable[Child], failed: Child) -> Sequence[Child]:
    """Return, in start order, the children to stop and restart after one failed.

    With ``"one_for_one"`` the cost does not depend on the number of children.
    """
    if strategy == "one_for_one":
        return [failed]
    everyone = list(children)
    return everyone if strategy == "one_for_all" else everyone[everyone.index(failed) :]
