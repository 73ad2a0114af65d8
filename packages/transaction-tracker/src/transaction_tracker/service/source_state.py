"""Whether the processes of one source of several run, for every part of the program to read."""

import asyncio
from typing import Literal, TypeAlias

from transaction_tracker.follower.verdict import NO_RESPONSE_YET, Verdict

RunState: TypeAlias = Literal["starting", "running", "failed", "paused"]


class SourceState:
    """Whether the processes of a source run; its runner writes it.

    The only source of a service has no runner: it runs whenever the service does.

    Args:
        label: Name of the source in the configuration; ``None`` for the only source.

    Attributes:
        paused: Whether an operator has paused the source.
        running: Whether its processes run.
        failure: Why they do not run, as one line; empty while they run or start for the first time.
        attempted: Set after the first attempt to start them.
    """

    def __init__(self, label: str | None) -> None:
        self.paused: bool = False
        self.running: bool = label is None
        self.failure: str = ""
        self.attempted: asyncio.Event = asyncio.Event()
        self._failed_since: float | None = None

    @property
    def name(self) -> RunState:
        """The state as one word."""
        if self.paused:
            return "paused"
        if self.running:
            return "running"
        return "failed" if self.failure else "starting"

    def started(self) -> None:
        """Record that the processes run."""
        self.running, self.failure, self._failed_since = True, "", None
        self.attempted.set()

    def failed(self, why: str) -> None:
        """Record why the processes do not run."""
        self.running, self.failure = False, why
        self.attempted.set()

    def stopped(self) -> None:
        """Record that the processes were stopped, because an operator paused the source."""
        self.running, self.failure, self._failed_since = False, "", None
        self.attempted.set()

    def verdict(self, followed: Verdict, now: float) -> Verdict:
        """Return the verdict on the source.

        Args:
            followed: The verdict on its follower.
            now: The time of that verdict's clock.
        """
        if self.paused:
            return Verdict("ok", since=now)
        if not self.failure:
            self._failed_since = None
            # A source that has been started again has made progress before.
            return followed if self.running else Verdict("starting", NO_RESPONSE_YET, now)
        if self._failed_since is None:
            self._failed_since = now
        reason = f"its processes do not run: {self.failure}"
        return Verdict("halted", reason, self._failed_since)
