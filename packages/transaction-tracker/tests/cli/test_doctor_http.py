"""``txtrack doctor`` on a service that is asked over HTTP."""

import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from transaction_tracker.cli.guest import in_database
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
    """Give what it says of the source, and nothing of the rest."""
    path = tmp_path / "txtrack.toml"

    async def run(*flags: str, more: str = "", url: str = "") -> list[dict[str, str]]:
        path.write_text(CONFIGURATION.format(url=url or bank.url) + more)
        path.chmod(0o600)
        ran: Ran = await command("doctor", "--json", *flags)
        assert "s3cret" not in ran.out + ran.err
        found = [one for one in ran.documents if not one["about"].startswith(("data", "addr"))]
        wrong = any(one["severity"] == "error" for one in found)
        assert ran.status == (1 if wrong else 0)
        assert all(one["why"] and one["do"] for one in found if one["severity"] != "ok")
        return found

    return run


def said(found: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(one["severity"], one["what"]) for one in found]


async def test_all_is_well(doctor: Doctor, bank: ScriptedService) -> None:
    found = await doctor("--transaction", "T-1")

    assert said(found) == [("ok", "answers, and says confirmed of 'T-1'")]
    assert found[0]["about"] == f"source {bank.url}/…{{id}}"
    assert bank.paths == ["/s3cret9/transfers/T-1"]


async def test_without_an_id_it_asks_about_one_that_nobody_has(
    doctor: Doctor, bank: ScriptedService
) -> None:
    bank.answer = lambda request: web.Response(status=404)

    found = await doctor()

    assert said(found) == [
        (
            "ok",
            "answers, and says nothing of 'txtrack-doctor', which is an id of ours; one of its own "
            "shows more: --transaction ID",
        )
    ]


async def test_without_an_id_it_takes_one_of_the_database(
    doctor: Doctor, bank: ScriptedService
) -> None:
    wanted = [Registration("T-7", required=1)]
    in_database(DatabaseUrl.of("transactions.db"), partial(register, registrations=wanted))

    await doctor()

    assert bank.paths == ["/s3cret9/transfers/T-7"]


@pytest.mark.parametrize(
    ("answer", "flags", "severity", "what", "do"),
    [
        (
            {"transfer": {"state": "settled"}},
            ["--transaction", "T-1"],
            "error",
            "the answer has no transfer.status",
            "compare its answer with http.status",
        ),
        ({"transfer": {"state": "settled"}}, [], "warning", "no transfer.status", "name an id"),
        (
            {"transfer": {"status": "paid out"}},
            ["--transaction", "T-1"],
            "error",
            "says 'paid out', which is not among http.words",
            "add it to http.words",
        ),
        ({"transfer": {"status": "new"}}, [], "error", "says 'new', which is", "add it to"),
        (b"<h1>Hello</h1>", ["--transaction", "T-1"], "error", "is not JSON", "compare its answer"),
        (401, [], "error", "refuses our headers", "correct http.headers"),
        (400, [], "warning", "HTTP 400", "name an id"),
        (400, ["--transaction", "T-1"], "error", "HTTP 400", "correct http.url"),
        (500, [], "error", "HTTP 500", "check http.url, the network"),
        (302, [], "error", "redirects are not followed", "check http.url"),
        (429, [], "warning", "has no time now", "come again later"),
    ],
)
async def test_answers_that_are_none(
    doctor: Doctor,
    bank: ScriptedService,
    answer: Any,
    flags: list[str],
    severity: str,
    what: str,
    do: str,
) -> None:
    bank.answer = lambda request: web.Response(status=answer) if type(answer) is int else answer

    (found,) = await doctor(*flags)

    assert found["severity"] == severity
    assert what in found["what"]
    assert found["do"].startswith(do)


async def test_service_that_says_a_key_again(doctor: Doctor, bank: ScriptedService) -> None:
    bank.answer = lambda request: {"transfer": {"status": request.headers["Authorization"]}}

    (found,) = await doctor("--transaction", "T-1")  # which looks for the key in all of it

    assert found["what"].startswith("says '…', which is not among http.words")


async def test_a_chain_is_asked_about_no_transaction(command: Command) -> None:
    ran = await command("doctor", "--rpc", "http://127.0.0.1:1", "--transaction", "0x12")

    assert (ran.status, ran.out) == (2, "")
    assert '--transaction is for source.type = "http"' in ran.err


async def test_service_that_is_not_there(doctor: Doctor) -> None:
    (found,) = await doctor(url="http://127.0.0.1:1")

    assert (found["severity"], found["about"]) == ("error", "source http://127.0.0.1:1/…{id}")
    assert "cannot be asked: " in found["what"]
    assert "connection failed" in found["what"]


async def test_private_address_is_refused(doctor: Doctor) -> None:
    (found,) = await doctor(url="https://10.1.2.3")

    assert found["about"] == "configuration"
    assert "http.url is refused: 10.1.2.3 is not allowed: the address is private" in found["what"]


async def test_name_that_leads_to_a_private_address_is_refused(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_up = socket.getaddrinfo

    def leading_home(host: str, *rest: Any, **more: Any) -> Any:
        return look_up("10.1.2.3" if host == "bank.example" else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", leading_home)

    (found,) = await doctor(url="https://bank.example")

    assert (found["severity"], found["about"]) == ("error", "http.url")
    assert "its address is refused: 10.1.2.3 is not allowed" in found["what"]
    assert "http.allow_private" in found["do"]


async def test_an_id_that_does_not_fit_the_pattern(doctor: Doctor, bank: ScriptedService) -> None:
    (found,) = await doctor("--transaction", "T/1")

    assert (found["severity"], found["about"]) == ("error", "http.id_pattern")
    assert bank.received == []


async def test_pattern_that_no_made_up_id_fits(doctor: Doctor, bank: ScriptedService) -> None:
    (found,) = await doctor("--set", "http.id_pattern=X[0-9]{30}")

    assert found["severity"] == "warning"
    assert "--transaction ID" in found["do"]
    assert bank.received == []


async def test_reversals_that_nobody_looks_for(doctor: Doctor) -> None:
    words = ("--set", "http.words.returned=reversed")

    found = await doctor("--transaction", "T-1", *words)
    quiet = await doctor("--transaction", "T-1", *words, "--set", "http.watch_for=60d")

    assert [one["about"] for one in found if one["severity"] == "warning"] == ["http.watch_for"]
    assert all(one["severity"] == "ok" for one in quiet)


async def test_headers_that_go_unencrypted(doctor: Doctor) -> None:
    flags = ("--set", "http.allow_private=['bank.invalid']", "--set", "http.deadline=1s")

    first, *_ = await doctor(*flags, url="http://bank.invalid")

    assert said([first]) == [("warning", "goes over the network unencrypted, headers and all")]


async def test_feed(doctor: Doctor, bank: ScriptedService) -> None:
    feed = '[http.feed]\nurl = "{}/s3cret9/feed?after={{cursor}}"\nid = "id"\nnext = "next"\n'
    events = {"next": "2", "all": [{"id": "T-1"}, {"id": "T-2"}]}
    bank.answer = lambda request: (
        events if "/feed" in request.path else {"transfer": {"status": "settled"}}
    )

    for entries, told in (("all", "tells of 2 transactions"), ("none", "cannot be read")):
        more = feed.format(bank.url) + f'entries = "{entries}"\n'
        *_, found = await doctor("--transaction", "T-1", more=more)
        assert told in found["what"]
        assert found["about"] == f"feed {bank.url}/…{{cursor}}"


async def test_secret_in_a_file_that_others_can_read(
    doctor: Doctor, command: Command, tmp_path: Path
) -> None:
    await doctor()
    (tmp_path / "txtrack.toml").chmod(0o644)

    ran = await command("doctor", "--json")

    *_, found = ran.documents
    assert found["about"] == "file txtrack.toml"
    assert "TXTRACK_HTTP__HEADERS__AUTHORIZATION" in found["do"]
    assert json.dumps(ran.documents).count("s3cret") == 0
