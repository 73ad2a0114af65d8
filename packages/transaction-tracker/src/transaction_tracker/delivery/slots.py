"""Limit the attempts in flight, with a fair share for each endpoint and each host."""

from dataclasses import dataclass, replace

from beamish import Pid, process


class SharedSlots:
    """Shared slots for attempts beyond the first of each endpoint.

    Every endpoint can have one attempt in flight at any time without a shared slot, so endpoints
    that hang cannot block other endpoints. Each further attempt takes a shared slot. All endpoints
    of one host together hold at most as many slots as are free: one host gets at most half of
    the slots, two hosts a third each, and some slots stay free for hosts that come later.

    A slot belongs to the process of its attempt and is free once that process has ended, for any
    reason. Nothing has to return it, so a worker that is killed leaks no slot.

    Args:
        limit: Number of slots.

    Source:
        Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet switches",
        IEEE/ACM Transactions on Networking 6 (2), 1998, with a factor of 1.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._hosts: dict[Pid, str] = {}

    def has_free(self, host: str) -> bool:
        """Return whether an attempt at ``host`` can take a slot now."""
        self._hosts = {pid: at for pid, at in self._hosts.items() if process.is_alive(pid)}
        held = sum(at == host for at in self._hosts.values())
        return held < self._limit - len(self._hosts)

    def take(self, pid: Pid, host: str) -> None:
        """Take a slot for the process of an attempt at ``host``, until that process ends."""
        self._hosts[pid] = host


@dataclass(frozen=True, slots=True)
class Window:
    """Limit of one endpoint's attempts in flight, by slow start.

    The window starts at one attempt, doubles with each response, and returns to one after a
    failure. So an endpoint that hangs holds no shared slots, except for attempts that started
    while it still responded.

    Attributes:
        limit: Maximum size of the window.
        size: Attempts that can be in flight now.
    """

    limit: int
    size: int = 1

    @property
    def is_full(self) -> bool:
        """Whether the window has its maximum size."""
        return self.size == self.limit

    def answered(self) -> "Window":
        """Return the window after a response."""
        return replace(self, size=min(2 * self.size, self.limit))

    def failed(self) -> "Window":
        """Return the window after a failure."""
        return replace(self, size=1)
