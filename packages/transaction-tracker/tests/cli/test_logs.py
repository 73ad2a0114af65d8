"""The log on standard error."""

import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Literal

import pytest

from transaction_tracker.cli.logs import log_everything, show_logs, show_warnings
from transaction_tracker.sources.http_polling.redaction import redactor

Captured = pytest.CaptureFixture[str]

logger = logging.getLogger("transaction_tracker")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in (None, "beamish", "transaction_tracker")]
    hooks = sys.excepthook, sys.unraisablehook, threading.excepthook
    before = [(one, one.handlers[:], one.level, one.propagate) for one in loggers]
    yield
    for one, handlers, level, propagate in before:
        one.handlers[:] = handlers
        one.setLevel(level)
        one.propagate = propagate
    sys.excepthook, sys.unraisablehook, threading.excepthook = hooks
    logging.captureWarnings(False)


def fail(secret: str) -> None:
    try:
        raise ValueError("a\x1b[2Jb")
    except ValueError:
        logger.exception("it failed")


def test_json_contains_the_fields_of_a_record(capsys: Captured) -> None:
    show_logs("json", "info")

    logger.info("applied %d", 3, extra={"seconds": 0.5, "kinds": {"a", "b"} - {"b"}})

    line = json.loads(capsys.readouterr().err)
    assert line["event"] == "applied 3"
    assert (line["level"], line["logger"]) == ("info", "transaction_tracker")
    assert line["seconds"] == 0.5
    assert line["timestamp"].endswith("Z")


def test_lower_levels_are_not_printed(capsys: Captured) -> None:
    show_warnings()

    logger.info("quiet")
    logger.warning("loud")

    err = capsys.readouterr().err
    assert "loud" in err
    assert "quiet" not in err


@pytest.mark.parametrize("form", ["json", "text"])
def test_traceback_contains_no_local_variables(
    capsys: Captured, form: Literal["json", "text"]
) -> None:
    show_logs(form, "info")

    fail("s3cret")

    err = capsys.readouterr().err
    assert "Traceback (most recent call last)" in err
    assert "ValueError" in err
    assert "s3cret" not in err
    assert "\x1b" not in err


@pytest.mark.parametrize("form", ["json", "text"])
def test_known_secrets_are_removed_from_every_line(
    capsys: Captured, form: Literal["json", "text"]
) -> None:
    show_logs(form, "info", redact=[lambda line: line.replace("s3cret", "…")])

    logger.warning("told s3cret", extra={"url": "https://host/s3cret"})

    assert "s3cret" not in capsys.readouterr().err


@pytest.mark.parametrize("secret", ['id="s3cret"', r"s3\cret", "s3cr\u00e9t"])
def test_escaped_secret_is_removed_from_json(capsys: Captured, secret: str) -> None:
    show_logs("json", "info", redact=[redactor([secret])])

    logger.warning("told %s", secret, extra={"answer": secret})

    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["answer"]) == ("told …", "…")


class Odd:
    def __del__(self) -> None:
        raise ValueError("odd")


def fail_in_a_thread() -> None:
    thread = threading.Thread(target=lambda: 1 // 0)
    thread.start()
    thread.join()


def fail_uncaught() -> None:
    try:
        raise ValueError("uncaught")
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)


@pytest.mark.parametrize(
    "write",
    [
        lambda: logging.getLogger("asyncio").error("socket.accept() out of system resource"),
        lambda: warnings.warn("odd", stacklevel=1),
        fail_in_a_thread,
        fail_uncaught,
        Odd,
    ],
    ids=["other library", "warning", "thread", "uncaught", "unraisable"],
)
def test_output_of_other_libraries_is_json(capsys: Captured, write: Callable[[], object]) -> None:
    log_everything(show_logs("json", "info"))

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        write()

    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert {"warning", "error", "critical"} & {line["level"] for line in lines}
