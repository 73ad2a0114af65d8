"""Imports of the commands: a client starts without the modules of the service."""

import json
import subprocess
import sys

import pytest

import transaction_tracker

# Together they take most of the processor time that a start of the service takes.
SERVICE = {"alembic", "beamish", "fastapi", "prometheus_client", "pydantic", "sqlalchemy"}

CODE = """
import json, sys
from transaction_tracker.cli import main

statuses = [main(command) for command in json.loads(sys.argv[1])]
print()
print(json.dumps([statuses, sorted(sys.modules)]))
"""


def after(*commands: tuple[str, ...]) -> tuple[set[int], set[str]]:
    """Return how commands end, one after another in one program, and what that has imported."""
    ran = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(commands)],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    statuses, modules = json.loads(ran.stdout.splitlines()[-1])
    return set(statuses), set(modules)


def test_help_and_version_import_no_command() -> None:
    statuses, modules = after(("--help",), ("--version",))

    assert statuses == {0}
    assert sorted(modules & {*SERVICE, "aiohttp"}) == []


def test_client_of_a_service_does_not_import_the_service() -> None:
    commands = [
        ("add", "0xab"),
        ("deliveries", "resume"),
        ("events",),
        ("get", "0xab"),
        ("ls",),
        ("provider", "ls"),
        ("recheck", "0xab"),
        ("untrack", "0xab"),
        ("wait", "0xab"),
        ("webhook", "ls"),
        ("why", "0xab"),
    ]

    statuses, modules = after(*[(*command, "--url", "http://127.0.0.1:1") for command in commands])

    assert statuses == {6}  # nothing listens there
    assert sorted(modules & SERVICE) == []


def test_domain_imports_neither_the_service_nor_another_part_of_the_tracker() -> None:
    asked = "import json, sys, transaction_tracker.domain; print(json.dumps([*sys.modules]))"
    ran = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, timeout=100, check=True
    )

    modules = set(json.loads(ran.stdout))
    parts = {name.split(".")[1] for name in modules if name.startswith("transaction_tracker.")}
    assert parts == {"domain", "lazy"}
    assert sorted(modules & {*SERVICE, "aiohttp"}) == []


@pytest.mark.parametrize("name", transaction_tracker.__all__)
def test_public_name_is_imported_when_it_is_used(name: str) -> None:
    assert getattr(transaction_tracker, name) is not None
    assert name in dir(transaction_tracker)


def test_unknown_name_of_the_package_is_an_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = transaction_tracker.Nothing
