"""How many attempts may be in flight at once: a fair share for each endpoint and each host."""

from dataclasses import dataclass, replace

from beamish import Pid, process


class SharedSlots:
    """The slots for attempts beyond the first of each endpoint.

    Every endpoint may have one attempt in flight at any time. So no number of endpoints that hang
    can keep another one waiting. Each further attempt takes a shared slot, and a host with all its
    endpoints may hold no more of these than are free. So one host gets at most half of them, two
    get a third each, and hosts that came first leave some for those that come later.

    A slot belongs to the process of its attempt, and is free when that process has ended, for
    whatever reason. Nothing has to give it back, so a worker that is killed leaks none.

    Args:
        limit: How many slots there are.

    Source:
        Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet switches",
        IEEE/ACM Transactions on Networking 6 (2), 1998, with a factor of 1.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._hosts: dict[Pid, str] = {}

    def has_room(self, host: str) -> bool:
        """Return whether an attempt at ``host`` may take a slot now."""
        self._hosts = {pid: at for pid, at in self._hosts.items() if process.is_alive(pid)}
        held = sum(at == host for at in self._hosts.values())
        return held < self._limit - len(self._hosts)

    def take(self, pid: Pid, host: str) -> None:
        """Take a slot for the process of an attempt at ``host``, until that process ends."""
        self._hosts[pid] = host


@dataclass(frozen=True, slots=True)
class Window:
    """How many attempts one endpoint may have in flight: slow start.

    An endpoint begins with one, and each answer doubles that. After a failure it has one again.
    So an endpoint that hangs holds no shared slots, or only those of its last good moment.

    Attributes:
        limit: The most that it may have.
        size: How many it may have now.
    """

    limit: int
    size: int = 1

    @property
    def is_full(self) -> bool:
        """Whether the endpoint may have as many attempts in flight as any."""
        return self.size == self.limit

    def answered(self) -> "Window":
        """Return the window after an answer."""
        return replace(self, size=min(2 * self.size, self.limit))

    def failed(self) -> "Window":
        """Return the window after a failure."""
        return replace(self, size=1)
