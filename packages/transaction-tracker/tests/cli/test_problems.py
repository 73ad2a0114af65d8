"""Errors of the API are converted for the command line."""

import re
from pathlib import Path

import pytest

from transaction_tracker import api
from transaction_tracker.cli.client import FIXES, problem_message

PREFIX = "urn:problem-type:transaction-tracker:"


@pytest.mark.parametrize("kind", FIXES)
def test_fix_is_a_command(kind: str) -> None:
    problem = {"type": PREFIX + kind, "detail": "a; b is unknown; ask POST /v1/things"}

    said = problem_message(404, problem)

    assert said == f"a; b is unknown; {FIXES[kind]}"
    assert "txtrack " in said


def test_each_request_in_an_error_has_a_command() -> None:
    files = Path(api.__file__).parent.rglob("*.py")
    # Another file repeats them in examples.
    source = "".join(path.read_text() for path in files if path.name != "problem_kinds.py")

    named = re.findall(r"; [^\"\n]*\b(?:GET|POST|PUT|DELETE) /v1[^\"]*\"", source)

    assert len(named) == len(FIXES)


def test_error_that_repeats_the_detail_is_omitted() -> None:
    fault = {"detail": "limit: too many", "parameter": "limit"}
    problem = {"type": f"{PREFIX}invalid-request", "detail": "limit: too many", "errors": [fault]}

    assert problem_message(422, problem) == "the service refuses: limit: too many"
