"""The program with a bank over HTTP, end to end."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from transaction_tracker.cli.watch import _of_source
from transaction_tracker.follower.options import SourceSection
from transaction_tracker.settings import Configuration

from ..sources.http_polling.support import (  # noqa: TID252 - the one service that is asked
    ScriptedService,
    scripted,
)
from .conftest import Command, Txtrack
from .forked import start
from .program import SECONDS, serving

DEPLOY = Path(__file__).parents[4] / "deploy"
SECRET = "s3cret-bank-key"

CONFIGURATION = """
[source]
type = "http"
poll_interval = "20ms"
[http]
name = "bank"
url = "{url}/v1/{secret}9/transfers/{{id}}?key={secret}"
status = "transfer.status"
error = "transfer.reason"
id_pattern = "[A-Z]-[0-9]{{1,10}}"
allow_private = ["127.0.0.1"]
first_delay = "20ms"
longest_delay = "50ms"
watch_for = "60d"
watch_first_delay = "20ms"
watch_longest_delay = "50ms"
[http.words]
received = "pending"
settled = "confirmed"
rejected = "failed"
returned = "reversed"
[http.headers]
Authorization = "Bearer {secret}"
[database]
url = "bank.db"
"""


@pytest.fixture
async def bank() -> AsyncIterator[ScriptedService]:
    async with scripted() as running:
        running.answer = lambda request: transfer("received")
        yield running


@pytest.fixture
def configuration(bank: ScriptedService, tmp_path: Path) -> Path:
    """A file that only we can read."""
    path = tmp_path / "bank.toml"
    path.write_text(CONFIGURATION.format(url=bank.url, secret=SECRET))
    path.chmod(0o600)
    return path


def transfer(status: str, reason: str | None = None) -> dict[str, Any]:
    return {"transfer": {"status": status, "reason": reason}}


async def test_transfer_is_tracked_until_its_reversal(
    bank: ScriptedService,
    configuration: Path,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with asyncio.timeout(3 * SECONDS), serving("--config", str(configuration)) as (_, fact):
        monkeypatch.setenv("TXTRACK_URL", str(fact["url"]))
        added = await command("add", "T-1")
        waiting = asyncio.create_task(command("wait", "T-1", "--timeout", "50s"))
        bank.answer = lambda request: transfer("settled")
        waited = await waiting
        *_, last = (await command("events", "--json")).documents
        bank.answer = lambda request: transfer("returned", "account closed")
        after = ("--after", last["cursor"], "--limit", "1")
        event = await command("events", "--follow", "--json", *after)
        seen = await command("get", "T-1")

    assert fact["source"] == "http:bank"
    assert (added.status, added.out) == (0, "T-1 registered\n")
    assert (waited.status, waited.out) == (0, "T-1 confirmed\n")
    assert [(one["previous"], one["state"]) for one in event.documents] == [
        ("confirmed", "reversed")
    ]
    assert "reversed" in seen.out
    assert "account closed" in seen.out
    assert {one.headers["Authorization"] for one in bank.received} == {f"Bearer {SECRET}"}


def deployed(request: web.Request) -> dict[str, Any]:
    """Answer as the bank of ``deploy/bank.toml`` does, in all three ways that it can be asked."""
    if request.path == "/v1/events":
        done = request.query["after"] != ""
        entry = {"transfer_id": "PAY-2", "status": "settled"}
        return {"events": [] if done else [entry], "next": "1"}
    if ids := request.query.get("ids"):
        return {"transfers": [{"id": one, "status": "in review"} for one in ids.split(",")]}
    number = request.path.rpartition("/")[2]
    status = "settled" if number == "PAY-1" else "rejected"
    return {"transfer": {"id": number, "status": status, "reason": "no funds"}}


async def test_example_configuration_of_a_bank_tracks_transfers(
    bank: ScriptedService, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank.answer = deployed
    text = (DEPLOY / "bank.toml").read_text().replace("https://bank.example", bank.url)
    (tmp_path / "txtrack.toml").write_text(text)
    quick = ("http.first_delay=20ms", "http.longest_delay=50ms", "http.feed_interval=50ms")
    options = (*quick, "http.requests_per_second=500", "http.allow_private=['127.0.0.1']")
    flags = [word for option in options for word in ("--set", option)]
    monkeypatch.setenv("TXTRACK_HTTP__HEADERS__AUTHORIZATION", f"Bearer {SECRET}")
    async with asyncio.timeout(3 * SECONDS), serving(*flags, fresh=True) as (_, fact):
        monkeypatch.setenv("TXTRACK_URL", str(fact["url"]))
        await command("add", "PAY-1")
        good = await command("wait", "PAY-1", "--timeout", "50s")
        await command("add", "PAY-3")
        bad = await command("wait", "PAY-3", "--timeout", "50s")

    assert (good.status, good.out) == (0, "PAY-1 confirmed\n")
    assert (bad.status, bad.out) == (3, "PAY-3 failed, no funds\n")
    assert {one.headers["Authorization"] for one in bank.received} == {f"Bearer {SECRET}"}
    assert {one.headers["Accept-Language"] for one in bank.received} == {"en"}


async def test_commands_accept_the_ids_of_the_bank(
    configuration: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "transfers.csv").write_text("id,invoice\nT-1,17\nT-2,18\nT/3,19\n")
    async with asyncio.timeout(3 * SECONDS), serving("--config", str(configuration)) as (_, fact):
        monkeypatch.setenv("TXTRACK_URL", str(fact["url"]))
        imported = await command("import", "transfers.csv")
        known = await command("wait", "T-1", "T-2", "--until", "pending", "--timeout", "20s")
        listed = await command("ls", "--no-header")
        reasons = await command("why", "T-2")
        refused = await command("add", "0x12")

    assert "T/3" in imported.err
    assert known.status == 0
    assert [line.split("\t")[:2] for line in listed.out.splitlines()] == [
        ["T-1", "pending"],
        ["T-2", "pending"],
    ]
    assert reasons.out.startswith("pending: ")
    assert refused.status == 2
    assert "a transaction id of bank must match [A-Z]-[0-9]{1,10}" in refused.err


async def test_provider_commands_explain_that_there_are_none(
    configuration: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = "txtrack: this service has no providers, because its source is not a chain\n"
    async with asyncio.timeout(3 * SECONDS), serving("--config", str(configuration)) as (_, fact):
        monkeypatch.setenv("TXTRACK_URL", str(fact["url"]))
        ran = [
            await command("provider", *words)
            for words in (["ls"], ["ls", "--json"], ["check"], ["pause", "x"], ["check", "x"])
        ]

    assert [(one.status, one.out, one.err) for one in ran] == [
        *[(0, "", note)] * 3,
        *[(1, "", note)] * 2,
    ]


async def test_logs_contain_no_secret(bank: ScriptedService, configuration: Path) -> None:
    # A service can repeat parts of the request, also in the status.
    bank.answer = lambda request: transfer(f"{request.raw_path} {request.headers['Authorization']}")
    flags = ("--config", str(configuration), "--log-level", "debug")
    async with asyncio.timeout(SECONDS), serving(*flags) as (process, fact):
        async with (
            aiohttp.ClientSession() as http,
            http.post(f"{fact['url']}/v1/transactions", json={"id": "T-1"}) as response,
        ):
            assert response.status < 300
        assert process.stderr is not None
        lines = [fact]
        while not str(lines[-1]["event"]).startswith("the source sent the unknown status"):
            lines.append(json.loads(await process.stderr.readline()))
        process.terminate()
        out, err = await process.communicate()

    assert SECRET not in f"{lines} {out!r} {err!r}"
    assert "…" in str(lines[-1]["event"])


async def test_first_steps_contain_an_id_instead_of_a_hash(configuration: Path) -> None:
    process = await start(
        *("serve", "--port", "0", "--config", str(configuration)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(SECONDS):
            lines = [(await process.stdout.readline()).decode() for _ in range(3)]
    finally:
        process.terminate()
        await process.communicate()

    assert lines[1].endswith("txtrack add ID\n")
    assert lines[2].endswith("txtrack wait ID\n")


async def test_database_of_another_bank_is_refused(configuration: Path, txtrack: Txtrack) -> None:
    async with asyncio.timeout(SECONDS), serving("--config", str(configuration)):
        pass

    flags = ("--config", str(configuration), "--port", "0", "--set", "http.name=other")
    ran = await txtrack("serve", *flags)

    assert ran.status == 1
    assert "http:bank" in ran.err


async def test_transfers_are_watched_without_a_service(
    bank: ScriptedService, configuration: Path, txtrack: Txtrack
) -> None:
    bank.answer = lambda request: transfer("rejected" if "T-2" in request.path else "settled")

    flags = ("--config", str(configuration), "--poll-interval", "0.02", "--timeout", "50")
    ran = await txtrack("watch", "T-1", "T-2", *flags)

    assert ran.status == 3
    assert "T-1 confirmed" in ran.out
    assert "T-2 failed" in ran.out


async def test_watch_prints_no_secret_in_a_reason(
    bank: ScriptedService, configuration: Path, txtrack: Txtrack
) -> None:
    bank.answer = lambda request: transfer(
        "rejected", f"not for {request.headers['Authorization']}"
    )

    ran = await txtrack("watch", "T-1", "--config", str(configuration), "--timeout", "50")

    assert ran.status == 3
    assert "not for …" in ran.out
    assert SECRET not in ran.out + ran.err


async def test_watch_uses_the_times_of_the_configuration(
    configuration: Path, txtrack: Txtrack
) -> None:
    text = configuration.read_text()
    configuration.write_text(text.replace("poll_i", 'expires_after = "50ms"\npoll_i'))

    ran = await txtrack("watch", "T-1", "--config", str(configuration), "--timeout", "50")

    assert "T-1 expired" in ran.out


@pytest.mark.parametrize(("typed", "expected"), [(None, 7.0), (0.5, 0.5)])
def test_flag_of_watch_overrides_the_configuration(typed: float | None, expected: float) -> None:
    configuration = Configuration(source=SourceSection(poll_interval=7))

    assert _of_source(configuration, typed) == {"poll_interval": expected, "expires_after": None}


async def test_watch_requires_a_node_or_a_configured_service(txtrack: Txtrack) -> None:
    ran = await txtrack("watch", "0x12")

    assert ran.status == 2
    assert 'watch needs --rpc URL, or a configuration with source.type = "http"' in ran.err
