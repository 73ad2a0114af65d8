"""The watchdog: reports to the operator when a source stops, even if the follower is stuck."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from beamish import Continue, GenServer, process, telemetry
from transaction_tracker.follower.clock_jumps import ClockJumps
from transaction_tracker.follower.status import FollowerStatus
from transaction_tracker.follower.verdict import Condition, Verdict

WATCHDOG = "TransactionTracker.Watchdog"
# A stop must be reported at most 10 s after its limit: this leaves 5 s for a busy machine.
CHECK_SECONDS = 5.0
REPEAT_SECONDS = 600.0

logger: logging.Logger = logging.getLogger("transaction_tracker")


@dataclass(frozen=True, slots=True)
class CheckVerdict:
    """Message: evaluate the verdict."""


@dataclass(frozen=True, slots=True)
class Report:
    """A report to the operator.

    Attributes:
        level: Log level.
        text: One line without secrets.
        event: Name of the telemetry event; ``None`` for a repeated report.
        seconds: Duration of the state so far; after a recovery, its whole duration.
        reason: Why; empty after a recovery.
    """

    level: int
    text: str
    event: str | None
    seconds: float
    reason: str = ""


_LEVELS: dict[Condition, int] = {"halted": logging.ERROR, "lagging": logging.WARNING}


class Reports:
    """Decides when a verdict is reported: at each change, then every 10 minutes.

    Outlives the watchdog's process, which restarts with the follower. Otherwise a follower that
    crashes again and again would log an error at each restart.

    Args:
        label: Name of the source in the configuration; ``None`` for the only source.
    """

    def __init__(self, label: str | None = None) -> None:
        self._source = "source" if label is None else f"source {label}"
        self._state: Condition = "ok"
        self._since = 0.0
        self._reported_at = 0.0

    def next(self, verdict: Verdict, now: float) -> Report | None:
        """Return the report that is due for a verdict, or ``None``.

        Args:
            verdict: Whether the source makes progress.
            now: The time, from the status.
        """
        before, self._state = self._state, verdict.state
        level = _LEVELS.get(verdict.state)
        if level is None:
            return self._recovered(now) if before in _LEVELS else None
        if before not in _LEVELS:
            self._since = verdict.since
        changed = before != verdict.state
        if not changed and now - self._reported_at < REPEAT_SECONDS:
            return None
        self._reported_at = now
        seconds = now - verdict.since
        text = f"{self._source} {verdict.state} for {seconds:.0f} s: {verdict.reason}"
        event = verdict.state if changed else None
        return Report(level, text, event, seconds, verdict.reason)

    def _recovered(self, now: float) -> Report:
        seconds = now - self._since
        text = f"the {self._source} makes progress again after {seconds:.0f} s"
        return Report(logging.INFO, text, "recovered", seconds)


class Watchdog(GenServer):
    """Report when a source stops, and when it makes progress again.

    A process of its own, so that it works while the follower waits for a response.

    Args:
        status: The progress of the follower.
        reports: Decides when a verdict is reported.
        block_time: Returns the seconds between blocks, which can change.
    """

    def __init__(
        self, status: FollowerStatus, reports: Reports, block_time: Callable[[], float]
    ) -> None:
        self._status = status
        self._reports = reports
        self._block_time = block_time
        self._jumps = ClockJumps()

    def init(self) -> Continue:
        """Start the clock of the status."""
        self._status.begin()
        return Continue(CheckVerdict())

    def handle_continue(self, _arg: object) -> None:
        """Evaluate the verdict at once, so that a restart does not delay a report."""
        self._check()

    def handle_info(self, message: object) -> None:
        """Evaluate the verdict at each `CheckVerdict`."""
        match message:
            case CheckVerdict():
                self._check()
            case _:
                super().handle_info(message)

    def _check(self) -> None:
        process.send_after(self.pid, CheckVerdict(), CHECK_SECONDS)
        self._check_wall_clock()
        now = self._status.now()
        report = self._reports.next(self._status.verdict(now, self._block_time()), now)
        if report is None:
            return
        logger.log(report.level, "%s", report.text)
        if report.event is not None:
            event = ("transaction_tracker", "source", report.event)
            telemetry.execute(event, {"seconds": report.seconds}, {"reason": report.reason})

    def _check_wall_clock(self) -> None:
        jump = self._jumps.next()
        if jump is not None:
            logger.warning(
                "the system's clock was set %s by %.0f s; deadlines of transactions are judged by "
                "this clock",
                "forward (or the machine has slept)" if jump > 0 else "back",
                abs(jump),
            )
