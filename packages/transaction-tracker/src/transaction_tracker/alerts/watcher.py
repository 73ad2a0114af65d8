"""The watcher: evaluates the faults of the service, and reports each change of an alert."""

import logging
import time
from collections.abc import Callable, Sequence

from beamish import GenServer, process, telemetry
from transaction_tracker.alerts import names
from transaction_tracker.alerts.board import AlertBoard
from transaction_tracker.alerts.faults import (
    Observed,
    ServiceFacts,
    holds,
    symptoms,
    unknown,
)
from transaction_tracker.alerts.names import EvaluateAlerts
from transaction_tracker.alerts.options import AlertOptions
from transaction_tracker.domain.alert import Alert, AlertMoment, AlertSeverity

CHECK_SECONDS = 5.0

ALERT = ("transaction_tracker", "alert")
"""Prefix of the telemetry events ``raised``, ``changed`` and ``cleared``; with ``seconds`` since
the start of the fault, ``kind``, ``subject`` and ``severity``."""

_LEVELS: dict[AlertSeverity, int] = {"warning": logging.WARNING, "critical": logging.ERROR}

logger: logging.Logger = logging.getLogger("transaction_tracker")


class AlertWatcher(GenServer):
    """Evaluate the faults every 5 s: raise, change and clear alerts.

    Never waits: the keeper reads the database for it, and the sender sends. So it also reports that
    the database does not answer.

    Args:
        board: The alerts; survives a restart of this process.
        look: Returns what is known of each source without the database, nothing while the service
            starts; never waits.
        options: When something is a fault.
    """

    def __init__(
        self, board: AlertBoard, look: Callable[[], Sequence[ServiceFacts]], options: AlertOptions
    ) -> None:
        self._board = board
        self._look = look
        self._options = options

    def init(self) -> None:
        """Schedule the first evaluation; the keeper causes an earlier one."""
        self._schedule()

    def handle_cast(self, _request: EvaluateAlerts) -> None:
        """Evaluate now."""
        self._evaluate()

    def handle_info(self, message: object) -> None:
        """Evaluate periodically."""
        match message:
            case EvaluateAlerts():
                self._schedule()
                self._evaluate()
            case _:
                super().handle_info(message)

    def _schedule(self) -> None:
        process.send_after(self.pid, EvaluateAlerts(), CHECK_SECONDS)

    def _evaluate(self) -> None:
        board, sources = self._board, self._look()
        if not sources or not board.loaded:
            # The alerts of the last run are not known yet: they would be reported again. The
            # service itself does not start without its database.
            return
        observed = self._observed(sources)
        active = {alert.key for alert in board.active}
        found = symptoms(observed, self._options, active)
        hold = self._options.clear_after
        moment = AlertMoment(board.now(), observed.wall, hold, holds(observed))
        watches, changed = board.watches.after(found, unknown(observed), moment)
        board.evaluated(watches, changed)
        for alert in changed:
            _report(alert, observed.wall)
        if changed:
            names.deliver()
            names.sync()

    def _observed(self, sources: Sequence[ServiceFacts]) -> Observed:
        board = self._board
        return Observed(
            wall=time.time(),
            service=sources[0],
            others=sources[1:],
            database=board.view,
            silence=board.silence,
            free_percent=board.free_percent,
            deaf=board.deaf(self._options.endpoint_failures),
        )


def _report(alert: Alert, wall: float) -> None:
    """Log a change of an alert, and emit its telemetry event."""
    facts = {"kind": alert.kind, "subject": alert.subject, "severity": alert.severity}
    seconds = max(0.0, wall - alert.since)
    level = _LEVELS[alert.severity] if alert.active else logging.INFO
    text = f": {alert.text}" if alert.active else f", after {seconds:.0f} s"
    logger.log(
        level,
        "alert %s: %s (%s) of %s%s",
        alert.change,
        alert.kind,
        alert.severity,
        alert.subject,
        text,
        extra={"alert": alert.id, **facts},
    )
    telemetry.execute((*ALERT, alert.change), {"seconds": seconds}, facts)
