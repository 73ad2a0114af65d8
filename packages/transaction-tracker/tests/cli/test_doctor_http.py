"""``txtrack doctor`` with a service over HTTP."""

import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from transaction_tracker.cli.database import in_database
from transaction_tracker.domain import Registration
from transaction_tracker.store.registering import register
from transaction_tracker.store.url import DatabaseUrl

from ..sources.http_polling.support import (  # noqa: TID252 - the one service that is asked
    ScriptedService,
    scripted,
)
from .conftest import Command, Ran

CONFIGURATION = """
[source]
type = "http"
[http]
name = "bank"
url = "{url}/s3cret9/transfers/{{id}}"
status = "transfer.status"
allow_private = ["127.0.0.1"]
words = {{ received = "pending", settled = "confirmed" }}
headers = {{ Authorization = "Bearer s3cret-key" }}
[web]
port = 0
"""

Doctor = Callable[..., Awaitable[list[dict[str, str]]]]


@pytest.fixture
async def bank() -> AsyncIterator[ScriptedService]:
    async with scripted() as running:
        running.answer = lambda request: {"transfer": {"status": "settled"}}
        yield running


@pytest.fixture
def doctor(bank: ScriptedService, command: Command, tmp_path: Path) -> Doctor:
    """Return a function that runs doctor and returns its findings about the source."""
    path = tmp_path / "txtrack.toml"

    async def run(*flags: str, more: str = "", url: str = "") -> list[dict[str, str]]:
        path.write_text(CONFIGURATION.format(url=url or bank.url) + more)
        path.chmod(0o600)
        ran: Ran = await command("doctor", "--json", *flags)
        assert "s3cret" not in ran.out + ran.err
        found = [one for one in ran.documents if not one["subject"].startswith(("data", "addr"))]
        wrong = any(one["severity"] == "error" for one in found)
        assert ran.status == (1 if wrong else 0)
        assert all(one["why"] and one["fix"] for one in found if one["severity"] != "ok")
        return found

    return run


def results(found: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(one["severity"], one["message"]) for one in found]


async def test_working_service_has_no_problem(doctor: Doctor, bank: ScriptedService) -> None:
    found = await doctor("--transaction", "T-1")

    assert results(found) == [("ok", "responds with state confirmed for 'T-1'")]
    assert found[0]["subject"] == f"source {bank.url}/…{{id}}"
    assert bank.paths == ["/s3cret9/transfers/T-1"]


async def test_made_up_id_is_looked_up_without_a_known_one(
    doctor: Doctor, bank: ScriptedService
) -> None:
    bank.answer = lambda request: web.Response(status=404)

    found = await doctor()

    assert results(found) == [
        (
            "ok",
            "responds with no state for 'txtrack-doctor' (a made-up id; for a complete check, "
            "use --transaction ID)",
        )
    ]


async def test_id_of_the_database_is_looked_up(doctor: Doctor, bank: ScriptedService) -> None:
    wanted = [Registration("T-7", required=1)]
    in_database(DatabaseUrl.of("transactions.db"), partial(register, registrations=wanted))

    await doctor()

    assert bank.paths == ["/s3cret9/transfers/T-7"]


@pytest.mark.parametrize(
    ("answer", "flags", "severity", "message", "fix"),
    [
        (
            {"transfer": {"state": "settled"}},
            ["--transaction", "T-1"],
            "error",
            "the response has no transfer.status",
            "compare the response with http.status",
        ),
        ({"transfer": {"state": "settled"}}, [], "warning", "no transfer.status", "pass an id"),
        (
            {"transfer": {"status": "paid out"}},
            ["--transaction", "T-1"],
            "error",
            "unknown status 'paid out', which is not in http.words",
            "add it to http.words",
        ),
        (
            {"transfer": {"status": "new"}},
            [],
            "error",
            "unknown status 'new', which is",
            "add it to",
        ),
        (
            b"<h1>Hello</h1>",
            ["--transaction", "T-1"],
            "error",
            "is not JSON",
            "compare the response",
        ),
        (401, [], "error", "refuses the configured headers", "correct http.headers"),
        (400, [], "warning", "HTTP 400", "pass an id"),
        (400, ["--transaction", "T-1"], "error", "HTTP 400", "correct http.url"),
        (500, [], "error", "HTTP 500", "check http.url, the network"),
        (302, [], "error", "redirects are not followed", "check http.url"),
        (429, [], "warning", "temporarily unavailable", "retry later"),
    ],
)
async def test_error_response_has_a_fix(
    doctor: Doctor,
    bank: ScriptedService,
    answer: Any,
    flags: list[str],
    severity: str,
    message: str,
    fix: str,
) -> None:
    bank.answer = lambda request: web.Response(status=answer) if type(answer) is int else answer

    (found,) = await doctor(*flags)

    assert found["severity"] == severity
    assert message in found["message"]
    assert found["fix"].startswith(fix)


async def test_secret_that_the_service_repeats_is_redacted(
    doctor: Doctor, bank: ScriptedService
) -> None:
    bank.answer = lambda request: {"transfer": {"status": request.headers["Authorization"]}}

    (found,) = await doctor("--transaction", "T-1")  # which looks for the key in all of it

    assert found["message"].startswith("unknown status '…', which is not in http.words")


async def test_transaction_flag_requires_a_service_over_http(command: Command) -> None:
    ran = await command("doctor", "--rpc", "http://127.0.0.1:1", "--transaction", "0x12")

    assert (ran.status, ran.out) == (2, "")
    assert '--transaction requires source.type = "http"' in ran.err


async def test_unreachable_service_is_an_error(doctor: Doctor) -> None:
    (found,) = await doctor(url="http://127.0.0.1:1")

    assert (found["severity"], found["subject"]) == ("error", "source http://127.0.0.1:1/…{id}")
    assert "look-up failed: " in found["message"]
    assert "connection failed" in found["message"]


async def test_private_address_is_refused(doctor: Doctor) -> None:
    (found,) = await doctor(url="https://10.1.2.3")

    assert found["subject"] == "configuration"
    assert (
        "http.url is refused: 10.1.2.3 is not allowed: the address is private" in found["message"]
    )


async def test_host_name_of_a_private_address_is_refused(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_up = socket.getaddrinfo

    def leading_home(host: str, *rest: Any, **more: Any) -> Any:
        return look_up("10.1.2.3" if host == "bank.example" else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", leading_home)

    (found,) = await doctor(url="https://bank.example")

    assert (found["severity"], found["subject"]) == ("error", "http.url")
    assert "URL refused: 10.1.2.3 is not allowed" in found["message"]
    assert "http.allow_private" in found["fix"]


async def test_id_that_does_not_match_the_pattern_is_an_error(
    doctor: Doctor, bank: ScriptedService
) -> None:
    (found,) = await doctor("--transaction", "T/1")

    assert (found["severity"], found["subject"]) == ("error", "http.id_pattern")
    assert bank.received == []


async def test_pattern_without_a_made_up_id_is_a_warning(
    doctor: Doctor, bank: ScriptedService
) -> None:
    (found,) = await doctor("--set", "http.id_pattern=X[0-9]{30}")

    assert found["severity"] == "warning"
    assert "--transaction ID" in found["fix"]
    assert bank.received == []


async def test_reversals_that_are_not_watched_are_a_warning(doctor: Doctor) -> None:
    words = ("--set", "http.words.returned=reversed")

    found = await doctor("--transaction", "T-1", *words)
    quiet = await doctor("--transaction", "T-1", *words, "--set", "http.watch_for=60d")

    assert [one["subject"] for one in found if one["severity"] == "warning"] == ["http.watch_for"]
    assert all(one["severity"] == "ok" for one in quiet)


async def test_unencrypted_requests_are_a_warning(doctor: Doctor) -> None:
    flags = ("--set", "http.allow_private=['bank.invalid']", "--set", "http.deadline=1s")

    first, *_ = await doctor(*flags, url="http://bank.invalid")

    assert results([first]) == [("warning", "requests with their headers are not encrypted")]


async def test_feed_is_read(doctor: Doctor, bank: ScriptedService) -> None:
    feed = '[http.feed]\nurl = "{}/s3cret9/feed?after={{cursor}}"\nid = "id"\nnext = "next"\n'
    events = {"next": "2", "all": [{"id": "T-1"}, {"id": "T-2"}]}
    bank.answer = lambda request: (
        events if "/feed" in request.path else {"transfer": {"status": "settled"}}
    )

    for entries, told in (("all", "has 2 transactions"), ("none", "cannot be read")):
        more = feed.format(bank.url) + f'entries = "{entries}"\n'
        *_, found = await doctor("--transaction", "T-1", more=more)
        assert told in found["message"]
        assert found["subject"] == f"feed {bank.url}/…{{cursor}}"


async def test_readable_file_with_a_secret_is_a_warning(
    doctor: Doctor, command: Command, tmp_path: Path
) -> None:
    await doctor()
    (tmp_path / "txtrack.toml").chmod(0o644)

    ran = await command("doctor", "--json")

    *_, found = ran.documents
    assert found["subject"] == "file txtrack.toml"
    assert "TXTRACK_HTTP__HEADERS__AUTHORIZATION" in found["fix"]
    assert json.dumps(ran.documents).count("s3cret") == 0
