"""The API of the complete application, with a development node."""

import asyncio
import io
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import orjson
import pytest

from beamish import telemetry
from transaction_tracker import Settings, TransactionTrackerApplication
from transaction_tracker.api import WEB, Service, Web, WebOptions
from txtrack_devnode import Chain, DevelopmentNode, Transaction

from .support import PATIENCE, Client

PATH = "/v1/transactions"


@pytest.fixture
async def node() -> AsyncIterator[DevelopmentNode]:
    async with DevelopmentNode(chain=Chain(accounts=4)) as running:
        yield running


@pytest.fixture
async def app(
    node: DevelopmentNode, tmp_path: Path
) -> AsyncIterator[TransactionTrackerApplication]:
    settings = Settings(
        node.url,
        confirmations=3,
        database=tmp_path / "test.db",
        poll_interval=0.01,
        web=WebOptions(port=0),
        allow_private=("127.0.0.0/8",),
    )
    async with TransactionTrackerApplication(settings) as running:
        yield running


@pytest.fixture
async def client(app: TransactionTrackerApplication) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as session:
        service: Service = None  # type: ignore[assignment]
        yield Client(await Web.url(WEB), session, service)


def submit(node: DevelopmentNode) -> Transaction:
    accounts = node.chain.accounts
    return node.chain.submit(accounts[0], accounts[-1], 1)


async def reach(client: Client, transaction: str, until: str) -> dict[str, object]:
    path = f"{PATH}/{transaction}/wait?until={until}&timeout={PATIENCE}"
    content = (await client.get(path)).json
    assert content["reached"], content
    found: dict[str, object] = content["transaction"]
    return found


async def test_payment_is_tracked_until_final(client: Client, node: DevelopmentNode) -> None:
    payment = submit(node).hash
    await client.post(PATH, json={"id": payment, "metadata": {"order": 7}})
    await reach(client, payment, "pending")
    await node.mine(2)
    await reach(client, payment, "mined")
    await eventually_confirmed(client, payment, 2)
    content = (await client.get(f"{PATH}/{payment}")).json
    await node.mine(1)
    ended = await reach(client, payment, "terminal")

    assert content["why"]["sentence"] == "In block 1; it has 2 of 3 confirmations, 1 missing."
    assert (ended["state"], ended["final"]) == ("confirmed", True)
    events = (await client.get("/v1/events")).json["events"]
    assert [one["state"] for one in events] == ["pending", "mined", "confirmed"]
    assert {one["metadata"]["order"] for one in events} == {7}
    page = (await client.get("/metrics")).body.decode()
    assert 'transaction_tracker_transitions_total{from="mined",to="confirmed"} 1.0' in page
    assert 'transaction_tracker_tracked{state="confirmed"} 1.0' in page
    assert 'beamish_processes{server_class="Follower"} 1.0' in page


async def eventually_confirmed(client: Client, payment: str, count: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await client.get(f"{PATH}/{payment}")).json["confirmations"] < count:
            await asyncio.sleep(0.002)


async def test_stream_reports_a_reorganisation(client: Client, node: DevelopmentNode) -> None:
    payment = submit(node).hash
    states: list[str] = []
    async with client.session.get(f"{client.url}/v1/stream?after=e0") as reply:
        await client.post(PATH, json={"id": payment})
        await reach(client, payment, "pending")
        await node.mine()
        await reach(client, payment, "mined")
        node.chain.rollback(1)
        await node.mine(2)
        async with asyncio.timeout(PATIENCE):
            while len(states) < 4:
                line = (await reply.content.readline()).decode()
                if line.startswith("data: "):
                    states.append(line.partition('"state":"')[2].partition('"')[0])

    assert states[:3] == ["pending", "mined", "pending"]


async def test_id_that_the_source_refuses_is_refused(client: Client) -> None:
    for wrong in ("0x12", "hello", "0x" + "g" * 64):
        reply = await client.post(PATH, json={"id": wrong})

        assert reply.status == 422, reply.body
        assert (await client.get(f"{PATH}/{wrong}")).status == 422


async def test_ten_thousand_are_registered_by_one_request(client: Client) -> None:
    items = [{"id": f"0x{number:064x}", "metadata": {"n": number}} for number in range(10_000)]
    body = io.BytesIO(orjson.dumps(items))
    commits: list[object] = []
    telemetry.attach(
        "commits", ("transaction_tracker", "store", "commit"), lambda *event: commits.append(event)
    )

    reply = await client.post(PATH, data=body, headers={"Content-Type": "application/json"})

    telemetry.detach("commits")
    assert reply.json["accepted"] == 10_000
    assert len(commits) < 100  # and not one for each


async def test_providers_are_listed_paused_and_resumed(client: Client) -> None:
    (provider,) = (await client.get("/v1/providers")).json["providers"]
    name = provider["name"]

    paused = await client.post(f"/v1/providers/{name}/pause")
    resumed = await client.post(f"/v1/providers/{name}/resume")
    checked = await client.post(f"/v1/providers/{name}/check")
    unknown = await client.post("/v1/providers/nobody/check")

    assert (paused.status, paused.json["paused"]) == (200, True)
    assert (resumed.status, resumed.json["paused"]) == (200, False)
    assert (checked.status, checked.json["chain_id"]) == (200, 31337)
    assert unknown.status == 404


async def test_service_is_ready_while_its_source_answers(client: Client) -> None:
    await wait_ready(client)

    assert (await client.get("/readyz")).json == {"status": "ready"}


async def wait_ready(client: Client) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await client.get("/readyz")).status != 200:
            await asyncio.sleep(0.002)


async def test_endpoints_are_added_tested_rotated_and_removed(
    client: Client, closed_port: int
) -> None:
    url = f"http://127.0.0.1:{closed_port}/hook"
    made = await client.post("/v1/endpoints", json={"url": url, "states": ["confirmed"]})
    path = f"/v1/endpoints/{made.json['id']}"
    tried = await client.post(f"{path}/test")
    rotated = await client.post(f"{path}/rotate", json={"overlap": 60})
    disabled = await client.post(f"{path}/disable")
    enabled = await client.post(f"{path}/enable")
    changed = await client.ask("PUT", path, json={"url": url, "states": None})
    again = await client.post(f"{path}/redeliver", json={"since": "e1"})
    everything = await client.post(f"{path}/redeliver", json={"since": "e0"})
    nothing = await client.post(f"{path}/redeliver", json={"event": "e0"})
    both = await client.post(f"{path}/redeliver", json={"since": "e1", "event": "e1"})
    letters = await client.get(f"{path}/dead-letters")
    shown = await client.get(path)
    removed = await client.ask("DELETE", path)

    assert (made.status, made.json["secret"][:6]) == (201, "whsec_")
    assert (tried.status, tried.json["delivered"], tried.json["outcome"]) == (
        200,
        False,
        "connection",
    )
    assert rotated.json["secret"] != made.json["secret"]
    assert (disabled.json["enabled"], enabled.json["enabled"]) == (False, True)
    assert changed.json["states"] is None
    assert (again.json, both.status) == ({"count": 0}, 422)
    assert everything.json == {"count": 0}
    assert nothing.json["errors"][0]["pointer"] == "#/event"
    assert letters.json == {"dead_letters": [], "next": None}
    assert (shown.json["pending"], shown.json["dead"]) == (0, 0)
    assert b"whsec_" not in shown.body
    assert (removed.status, (await client.get(path)).status) == (204, 404)


async def test_invalid_endpoints_are_refused(client: Client) -> None:
    refused = await client.post("/v1/endpoints", json={"url": "http://169.254.169.254/latest"})
    no_url = await client.post("/v1/endpoints", json={"url": "hello"})
    bad_state = await client.post(
        "/v1/endpoints", json={"url": "https://example.com/hook", "states": ["lost"]}
    )
    unknown = await client.get("/v1/endpoints/ep_nobody")

    assert {refused.status, no_url.status, bad_state.status} == {422}
    assert unknown.status == 404
    assert (await client.get("/v1/endpoints")).json == {"endpoints": []}


async def test_deliveries_are_not_frozen(client: Client) -> None:
    assert (await client.post("/v1/deliveries/resume")).json == {"frozen_since": None}


async def test_application_stops_soon_with_open_streams(
    node: DevelopmentNode, tmp_path: Path
) -> None:
    settings = Settings(
        node.url, database=":memory:", web=WebOptions(port=0, shutdown_seconds=30.0)
    )
    async with aiohttp.ClientSession() as session:
        async with TransactionTrackerApplication(settings):
            stream = await session.get(f"{await Web.url(WEB)}/v1/stream")
            await stream.content.readline()
            began = time.monotonic()
        took = time.monotonic() - began
        await stream.content.read()

    assert took < 25.0
