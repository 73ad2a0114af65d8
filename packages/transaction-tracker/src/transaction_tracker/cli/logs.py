"""Write the log to standard error, as JSON or as text, without secrets."""

import logging
import sys
import threading
import traceback
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Literal, TextIO

import orjson
import structlog
from structlog.typing import EventDict, ExcInfo, Processor

from transaction_tracker.cli.output import printable
from transaction_tracker.settings import Configuration
from transaction_tracker.sources.http_polling.redaction import Redact, keys, redactor

_LOGGERS = ("beamish", "transaction_tracker")

logger: logging.Logger = logging.getLogger("transaction_tracker")


class StandardError(logging.StreamHandler[TextIO]):
    """Writes to the current ``sys.stderr``, which a live display replaces."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        self.stream: TextIO = sys.stderr
        super().emit(record)


class Redacting(structlog.stdlib.ProcessorFormatter):
    """Removes known secrets from each complete line, also from lines of other libraries.

    Args:
        processors: Processors that format a record as a line.
        before: Processors that run before them.
        redact: Functions that remove secrets from a text.
    """

    def __init__(
        self, processors: Sequence[Processor], before: Sequence[Processor], redact: Sequence[Redact]
    ) -> None:
        super().__init__(processors=processors, foreign_pre_chain=before)
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """Write one line."""
        line = super().format(record)
        for redact in self._redact:
            line = redact(line)
        return line


def show_warnings(redact: Sequence[Redact] = ()) -> None:
    """Start to print warnings and errors, coloured on a terminal."""
    show_logs("text", "warning", redact=redact)


def show_logs(
    form: Literal["json", "text"], level: str, *, redact: Sequence[Redact] = ()
) -> logging.Handler:
    """Start to print the log, and return its handler.

    Args:
        form: ``json`` prints one object per line; ``text`` is for people.
        level: Lowest level that is printed: ``debug``, ``info``, ``warning``, ``error``.
        redact: Functions that remove secrets from a line.
    """
    handler = StandardError()
    handler.setFormatter(_json(redact) if form == "json" else _text(redact))
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(level.upper())
        logger.propagate = False
    return handler


def log_everything(handler: logging.Handler) -> None:
    """Also log what would otherwise be printed as text between the lines of JSON.

    These are the logs of other libraries, Python's warnings and uncaught errors.
    """
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    sys.unraisablehook = _log_unraisable
    threading.excepthook = _log_uncaught_in_thread


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    logger.critical("uncaught error", exc_info=(kind, error, trace))


def _log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None:
        name = "" if args.thread is None else args.thread.name
        exc_info = (args.exc_type, args.exc_value, args.exc_traceback)
        logger.critical(
            "uncaught error in a thread", exc_info=exc_info, extra={"thread_name": name}
        )


def _log_unraisable(args: "sys.UnraisableHookArgs") -> None:
    if args.exc_value is not None:
        exc_info = (args.exc_type, args.exc_value, args.exc_traceback)
        where = repr(args.object)
        logger.error("ignored an unraisable error", exc_info=exc_info, extra={"where": where})


def _text(redact: Sequence[Redact]) -> logging.Formatter:
    stamp = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)
    renderer = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), pad_event_to=0, exception_formatter=_traceback
    )
    before: list[Processor] = [
        _without_control_codes,
        structlog.stdlib.ExtraAdder(),
        structlog.stdlib.add_log_level,
        stamp,
    ]
    return Redacting([_without_meta, renderer], before, redact)


def _json(redact: Sequence[Redact]) -> logging.Formatter:
    before: list[Processor] = [
        structlog.stdlib.ExtraAdder(),
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    return Redacting([_without_meta, structlog.processors.JSONRenderer(_dumps)], before, redact)


def _dumps(event: EventDict, **_: Any) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


def _without_meta(logger: Any, method: str, event: EventDict) -> EventDict:
    return structlog.stdlib.ProcessorFormatter.remove_processors_meta(logger, method, event)


def _traceback(out: TextIO, error: ExcInfo) -> None:
    # Without local variables, which structlog shows by default: they can contain secrets.
    out.write("\n" + printable("".join(traceback.format_exception(*error)).rstrip()))


def _without_control_codes(_logger: Any, _method: str, event: EventDict) -> EventDict:
    event["event"] = printable(str(event["event"]))
    return event


__all__ = ["Redact", "redactors"]


def redactors(configuration: Configuration) -> list[Redact]:
    """Return functions that remove the configuration's secrets from a text."""
    parts = configuration.parts().values()
    urls = [
        url
        for part in parts
        for provider in part.providers
        for url in (provider.url, provider.ws_url)
        if url
    ]
    found: list[Redact] = [url.redact for url in urls]
    secrets = [*configuration.database.url.secrets]
    if (token := configuration.client.token) is not None:
        secrets.append(token.reveal())
    for http in (part.http for part in parts if part.http is not None):
        addresses = [text.reveal() for _, _, text in http.addresses()]
        secrets += keys(http.headers.values(), addresses)
    if secrets:
        found.append(redactor(secrets))
    return found
