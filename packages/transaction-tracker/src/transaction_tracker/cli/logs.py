"""What the commands print of the logs: warnings and worse, on standard error."""

import logging
import sys
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict

from transaction_tracker.cli.text import printable

_LOGGERS = ("beamish", "transaction_tracker")


class StandardError(logging.StreamHandler[TextIO]):
    """Writes to whatever standard error is now: a live display puts itself in its place."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        self.stream = sys.stderr
        super().emit(record)


def _without_control_codes(_logger: Any, _method: str, event: EventDict) -> EventDict:
    event["event"] = printable(str(event["event"]))
    return event


def show_warnings() -> None:
    """Print warnings and errors from now on, coloured on a terminal."""
    stamp = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)
    renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[_without_control_codes, structlog.stdlib.add_log_level, stamp],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = StandardError()
    handler.setFormatter(formatter)
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(logging.WARNING)
        logger.propagate = False
