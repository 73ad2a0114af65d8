"""Capture of log records and restarts, for the demo to show."""

import logging
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from beamish import telemetry

_MAX_RECORDS = 20
_LOGGERS = ("beamish", "transaction_tracker")


class CrashReports(logging.Handler):
    """Captures log records, so that they do not disturb the screen."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.setFormatter(logging.Formatter("%(asctime)s [%(levelname)s] %(message)s", "%H:%M:%S"))
        self._texts: deque[str] = deque(maxlen=_MAX_RECORDS)
        self.restarts: int = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Store a record."""
        self._texts.append(self.format(record))

    def take(self) -> list[str]:
        """Return and remove the stored records."""
        texts = list(self._texts)
        self._texts.clear()
        return texts

    @contextmanager
    def capturing(self) -> Iterator[None]:
        """Capture log records and count restarts while the block runs."""
        telemetry.attach(self, ("beamish", "supervisor", "restart"), self._restarted)
        with ExitStack() as stack:
            stack.callback(telemetry.detach, self)
            for name in _LOGGERS:
                stack.enter_context(self._capturing_logger(logging.getLogger(name)))
            yield

    @contextmanager
    def _capturing_logger(self, logger: logging.Logger) -> Iterator[None]:
        before = logger.propagate
        logger.addHandler(self)
        logger.propagate = False  # a log line would break the layout of the terminal
        try:
            yield
        finally:
            logger.propagate = before
            logger.removeHandler(self)

    def _restarted(self, *_: object) -> None:
        self.restarts += 1
