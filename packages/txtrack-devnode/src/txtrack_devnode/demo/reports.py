"""Crash reports, kept as they are logged."""

import logging
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from beamish import telemetry

_KEPT = 20
_LOGGERS = ("beamish", "transaction_tracker")


class Reports(logging.Handler):
    """Keeps what is logged, for the view to show in its place."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.setFormatter(logging.Formatter("%(asctime)s [%(levelname)s] %(message)s", "%H:%M:%S"))
        self._texts: deque[str] = deque(maxlen=_KEPT)
        self.restarts = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one record."""
        self._texts.append(self.format(record))

    def take(self) -> list[str]:
        """Give what has come since the last time."""
        texts = list(self._texts)
        self._texts.clear()
        return texts

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take the logs and count the restarts meanwhile; nothing goes elsewhere."""
        telemetry.attach(self, ("beamish", "supervisor", "restart"), self._restarted)
        with ExitStack() as stack:
            stack.callback(telemetry.detach, self)
            for name in _LOGGERS:
                stack.enter_context(self._taking(logging.getLogger(name)))
            yield

    @contextmanager
    def _taking(self, logger: logging.Logger) -> Iterator[None]:
        before = logger.propagate
        logger.addHandler(self)
        logger.propagate = False  # a log line on the terminal would tear the board
        try:
            yield
        finally:
            logger.propagate = before
            logger.removeHandler(self)

    def _restarted(self, *_: object) -> None:
        self.restarts += 1
