"""``txtrack webhook`` and ``deliveries`` with a running service and a receiver."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from txtrack_devnode import DevelopmentNode

from .conftest import Command

pytestmark = pytest.mark.usefixtures("service")


@dataclass
class Receiver:
    """Stores webhooks, and responds with ``status``."""

    url: str = ""
    status: int = 200
    came: asyncio.Queue[tuple[Mapping[str, str], bytes]] = field(default_factory=asyncio.Queue)

    async def take(self, request: web.Request) -> web.Response:
        self.came.put_nowait((request.headers, await request.read()))
        return web.Response(status=self.status)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    found = Receiver()
    app = web.Application()
    app.router.add_post("/hook", found.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield found
    await runner.cleanup()


async def added(command: Command, receiver: Receiver, *more: str) -> dict[str, str]:
    ran = await command("webhook", "add", receiver.url, "--json", *more)
    assert ran.status == 0
    found: dict[str, str] = json.loads(ran.out)
    return found


async def confirmed(command: Command, node: DevelopmentNode, sender: int = 0) -> str:
    accounts = node.chain.accounts
    tx = node.chain.submit(accounts[sender], accounts[-1], 1).hash
    await command("add", tx)
    assert (await command("wait", tx)).status == 0
    return tx


async def test_webhook_is_delivered_with_a_valid_signature(
    command: Command, node: DevelopmentNode, receiver: Receiver, tmp_path: Path
) -> None:
    endpoint = await added(command, receiver, "--state", "confirmed")
    tx = await confirmed(command, node)

    async with asyncio.timeout(50):
        headers, body = await receiver.came.get()

    (tmp_path / "body").write_bytes(body)
    verified = await command(
        *("webhook", "verify", str(tmp_path / "body"), "--secret", endpoint["secret"]),
        *("--id", headers["webhook-id"], "--timestamp", headers["webhook-timestamp"]),
        *("--signature", headers["webhook-signature"]),
    )
    assert verified.status == 0
    assert tx.encode() in body
    assert b'"transaction.confirmed"' in body


async def test_secret_is_shown_once(command: Command, receiver: Receiver) -> None:
    ran = await command("webhook", "add", receiver.url)
    secret = ran.out.split()[-1]
    listed = await command("webhook", "ls", "--json")

    assert secret.startswith("whsec_")
    assert "Save the secret: it cannot be shown again" in ran.err
    assert secret not in ran.err + listed.out


async def test_endpoint_is_disabled_enabled_and_deleted(
    command: Command, receiver: Receiver
) -> None:
    endpoint = (await added(command, receiver, "--state", "failed"))["id"]

    table = await command("webhook", "ls", "--no-header")
    assert table.out.rstrip("\n").split("\t") == [endpoint, receiver.url, "failed", "yes", ""]
    disabled = await command("webhook", "disable", endpoint, "--reason", "holiday")
    assert "holiday" in disabled.out
    assert (await command("webhook", "enable", endpoint)).status == 0
    shown = await command("webhook", "get", endpoint)
    assert "pending" in shown.out
    assert (await command("webhook", "rm", endpoint)).out == f"deleted {endpoint}\n"
    assert (await command("webhook", "ls", "--no-header")).out == ""


@pytest.mark.parametrize("overlap", ["1h", "0s"])
async def test_rotation_creates_a_new_secret(
    command: Command, receiver: Receiver, overlap: str
) -> None:
    endpoint = await added(command, receiver)

    rotated = await command("webhook", "rotate", endpoint["id"], "--overlap", overlap)

    assert rotated.status == 0
    assert "whsec_" in rotated.out
    assert endpoint["secret"] not in rotated.out


@pytest.mark.parametrize(("answer", "status"), [(204, 0), (500, 1)])
async def test_test_webhook_prints_its_result(
    command: Command, receiver: Receiver, answer: int, status: int
) -> None:
    endpoint = (await added(command, receiver))["id"]
    receiver.status = answer

    ran = await command("webhook", "test", endpoint)

    assert ran.status == status
    assert f"HTTP {answer}" in ran.out
    _, body = receiver.came.get_nowait()
    assert b"transaction_tracker.test" in body


async def test_one_event_is_redelivered(
    command: Command, node: DevelopmentNode, receiver: Receiver
) -> None:
    endpoint = (await added(command, receiver, "--state", "confirmed"))["id"]
    await confirmed(command, node)
    *_, last = (await command("events", "--json")).documents
    async with asyncio.timeout(50):
        first, _ = await receiver.came.get()

        ran = await command("webhook", "redeliver", endpoint, "--event", last["cursor"])
        again, _ = await receiver.came.get()

    assert ran.out == "1 events will be redelivered\n"
    assert first["webhook-id"] == again["webhook-id"]


async def test_all_events_are_redelivered_since_the_start(
    command: Command, node: DevelopmentNode, receiver: Receiver
) -> None:
    endpoint = (await added(command, receiver))["id"]
    await confirmed(command, node)
    count = len((await command("events", "--json")).documents)
    async with asyncio.timeout(50):
        for _ in range(count):
            await receiver.came.get()

        ran = await command("webhook", "redeliver", endpoint, "--since", "e0", "--json")

    assert json.loads(ran.out) == {"count": count}


async def test_new_endpoint_has_no_dead_letters(command: Command, receiver: Receiver) -> None:
    endpoint = (await added(command, receiver))["id"]

    assert (await command("webhook", "dead", endpoint, "--no-header")).out == ""
    assert json.loads((await command("webhook", "redeliver", endpoint, "--json")).out) == {
        "count": 0
    }


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://10.0.0.1/hook", "10.0.0.1 is not allowed: the address is private"),
        ("http://example.com/", "a URL must begin with https://"),
        ("https://printer.local/", "a host under 'local' is not allowed"),
    ],
)
async def test_error_names_the_option_that_can_allow_an_address(
    command: Command, url: str, words: str
) -> None:
    ran = await command("webhook", "add", url)

    assert ran.status == 2
    assert words in ran.err
    assert "; webhooks.allow_private in the service's configuration can allow it" in ran.err


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://169.254.169.254/", "a cloud metadata address"),
        ("https://0.0.0.0/", "the address is unspecified"),
        ("ftp://host/", "a URL must look like"),
    ],
)
async def test_error_names_no_option_for_a_metadata_address(
    command: Command, url: str, words: str
) -> None:
    ran = await command("webhook", "add", url)

    assert ran.status == 2
    assert words in ran.err
    assert "allow_private" not in ran.err


@pytest.mark.parametrize(
    "action",
    ["get", "rm", "enable", "disable", "rotate", "test", "redeliver", "dead", "attempts"],
)
async def test_unknown_endpoint_is_an_error(command: Command, action: str) -> None:
    ran = await command("webhook", action, "ep_nobody")

    assert ran.status == 1
    assert "unknown endpoint; txtrack webhook ls lists the endpoints" in ran.err


async def test_failing_endpoint_shows_its_last_error(
    command: Command, node: DevelopmentNode, receiver: Receiver
) -> None:
    endpoint = (await added(command, receiver))["id"]
    receiver.status = 404
    for sender in range(2):  # each with several events
        await confirmed(command, node, sender)
    # After an attempt, its result is stored; deliveries of the second event wait for the first.
    async with asyncio.timeout(20):
        while not (await command("webhook", "attempts", endpoint)).out:
            await asyncio.sleep(0.01)

    listed = await command("webhook", "attempts", endpoint)
    documents = (await command("webhook", "attempts", endpoint, "--json")).documents
    cursor = documents[0]["event_cursor"]
    of_one = await command("webhook", "attempts", endpoint, "--event", cursor, "--json")
    shown = await command("webhook", "get", endpoint)

    assert "refused\tHTTP 404\t" in listed.out
    assert {one["outcome"] for one in documents} == {"refused"}
    assert {one["event_cursor"] for one in of_one.documents} == {cursor}
    for words in ("last error", "HTTP 404", "last attempt at", "next attempt at", "health"):
        assert words in shown.out


async def test_deliveries_resume(command: Command) -> None:
    ran = await command("deliveries", "resume", "--json")

    assert ran.status == 0
    assert '"frozen_since": null' in ran.out
