"""``/v1/alerts``, and the choice of alerts of endpoints."""

from collections.abc import AsyncIterator

import pytest

from beamish import Supervisor
from transaction_tracker.delivery import OUTBOX, DeliveryContext, Outbox
from transaction_tracker.domain.alert import ALERT_KINDS, Alert, FaultWatch, FaultWatches
from transaction_tracker.net import AllowList, CheckedClient

from .support import Client, make_token, serving

URL = "http://127.0.0.1:1/hook"


def alert(number: int, **facts: object) -> Alert:
    given = {"kind": "disk.low", "subject": "disk", "severity": "warning", "text": "it is full"}
    moment = {"since": 1_000.5, "raised_at": 1_060.0 + number}
    return Alert(**{"id": f"al_{number}"} | given | moment | facts)  # type: ignore[arg-type]


HALTED = alert(1, kind="source.halted", subject="eip155:1", severity="critical")
FULL = alert(2)
OLD = alert(3, version=2, cleared_at=1_300.0)
OLDER = alert(4, kind="provider.down", subject="a-1", version=2, cleared_at=1_200.0)


@pytest.fixture
def alerts(client: Client) -> Client:
    """A service with active and cleared alerts."""
    watches = FaultWatches({one.key: FaultWatch(0.0, 0.0, one) for one in (FULL, HALTED)})
    client.service.alerts.evaluated(watches, [OLDER, OLD])
    return client


@pytest.fixture
async def outbox(client: Client) -> AsyncIterator[None]:
    context = DeliveryContext(CheckedClient(AllowList.of(["127.0.0.1"])))
    async with Supervisor.running([Outbox.child_spec(context, name=OUTBOX)]):
        yield


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [HALTED, FULL, OLD, OLDER]),
        ("?active=true", [HALTED, FULL]),
        ("?active=false", [OLD, OLDER]),
        ("?kind=disk.low", [FULL, OLD]),
        ("?kind=disk.low&kind=source.halted&active=true", [HALTED, FULL]),
        ("?limit=1", [HALTED]),
        ("?kind=tracker.parked", []),
    ],
)
async def test_active_alerts_come_first_then_the_last_cleared_ones(
    alerts: Client, query: str, expected: list[Alert]
) -> None:
    reply = await alerts.get(f"/v1/alerts{query}")

    assert reply.status == 200
    assert [one["id"] for one in reply.json["alerts"]] == [one.id for one in expected]


async def test_alert_has_all_fields(alerts: Client) -> None:
    first, *_, last = (await alerts.get("/v1/alerts")).json["alerts"]

    assert first == {
        "id": "al_1",
        "kind": "source.halted",
        "subject": "eip155:1",
        "severity": "critical",
        "text": "it is full",
        "since": "1970-01-01T00:16:40.500Z",
        "raised_at": "1970-01-01T00:17:41.000Z",
        "cleared_at": None,
        "version": 1,
    }
    assert last["cleared_at"] == "1970-01-01T00:20:00.000Z"


@pytest.mark.parametrize("query", ["kind=disk", "active=perhaps", "limit=0", "severity=critical"])
async def test_wrong_filter_is_refused(alerts: Client, query: str) -> None:
    reply = await alerts.get(f"/v1/alerts?{query}")

    assert reply.status == 422
    assert query.split("=")[0] in reply.json["detail"]


async def test_alerts_need_the_scope_read() -> None:
    async with serving() as client:
        for scope, status in (("read", 200), ("write", 403)):
            reader = client.with_token(await make_token(scope))
            assert (await reader.get("/v1/alerts")).status == status
        assert (await client.get("/v1/alerts")).status == 401


@pytest.mark.usefixtures("outbox")
async def test_endpoint_receives_no_alerts_by_default(client: Client) -> None:
    made = (await client.post("/v1/endpoints", json={"url": URL})).json

    assert made["alerts"] == []
    assert (await client.get(f"/v1/endpoints/{made['id']}")).json["alerts"] == []


@pytest.mark.usefixtures("outbox")
async def test_endpoint_can_receive_only_alerts(client: Client) -> None:
    body = {"url": URL, "states": [], "alerts": ["disk.low", "source.halted"]}

    reply = await client.post("/v1/endpoints", json=body)

    assert reply.status == 201
    assert (reply.json["states"], reply.json["alerts"]) == ([], ["source.halted", "disk.low"])


@pytest.mark.usefixtures("outbox")
async def test_alerts_of_an_endpoint_can_be_changed(client: Client) -> None:
    path = f"/v1/endpoints/{(await client.post('/v1/endpoints', json={'url': URL})).json['id']}"

    changed = await client.ask("PUT", path, json={"url": URL, "alerts": [*ALERT_KINDS]})
    left_out = await client.ask("PUT", path, json={"url": URL})

    assert changed.json["alerts"] == list(ALERT_KINDS)
    assert left_out.json["alerts"] == []


@pytest.mark.usefixtures("outbox")
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"states": []}, "states must be some of"),
        ({"alerts": ["disk"]}, "source.halted"),
        ({"alerts": None}, "alerts"),
        ({"alerts": ["disk.low"] * 21}, "alerts"),
    ],
)
async def test_wrong_choice_of_alerts_is_refused(
    client: Client, body: dict[str, object], words: str
) -> None:
    reply = await client.post("/v1/endpoints", json={"url": URL} | body)

    assert reply.status == 422
    assert words in str(reply.json)
