"""What is written of the logs."""

import json
import logging
from collections.abc import Iterator
from typing import Literal

import pytest

from transaction_tracker.cli.logs import show_logs, show_warnings
from transaction_tracker.sources.http_polling.redaction import without

Captured = pytest.CaptureFixture[str]

logger = logging.getLogger("transaction_tracker")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("beamish", "transaction_tracker")]
    before = [(one, one.handlers[:], one.level, one.propagate) for one in loggers]
    yield
    for one, handlers, level, propagate in before:
        one.handlers[:] = handlers
        one.setLevel(level)
        one.propagate = propagate


def fail(secret: str) -> None:
    try:
        raise ValueError("a\x1b[2Jb")
    except ValueError:
        logger.exception("it failed")


def test_json_has_the_facts_of_a_line(capsys: Captured) -> None:
    show_logs("json", "info")

    logger.info("applied %d", 3, extra={"seconds": 0.5, "kinds": {"a", "b"} - {"b"}})

    line = json.loads(capsys.readouterr().err)
    assert line["event"] == "applied 3"
    assert (line["level"], line["logger"]) == ("info", "transaction_tracker")
    assert line["seconds"] == 0.5
    assert line["timestamp"].endswith("Z")


def test_nothing_below_the_level_is_written(capsys: Captured) -> None:
    show_warnings()

    logger.info("quiet")
    logger.warning("loud")

    err = capsys.readouterr().err
    assert "loud" in err
    assert "quiet" not in err


@pytest.mark.parametrize("form", ["json", "text"])
def test_traceback_shows_no_local_variables(
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
def test_known_secrets_are_taken_out_of_whatever_line(
    capsys: Captured, form: Literal["json", "text"]
) -> None:
    show_logs(form, "info", redact=[lambda line: line.replace("s3cret", "…")])

    logger.warning("told s3cret", extra={"url": "https://host/s3cret"})

    assert "s3cret" not in capsys.readouterr().err


@pytest.mark.parametrize("secret", ['id="s3cret"', r"s3\cret", "s3cr\u00e9t"])
def test_a_secret_is_taken_out_of_json_though_json_writes_it_differently(
    capsys: Captured, secret: str
) -> None:
    show_logs("json", "info", redact=[without([secret])])

    logger.warning("told %s", secret, extra={"answer": secret})

    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["answer"]) == ("told …", "…")
