"""Each alert is raised and cleared, in webhooks, the log and the metrics."""

import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

import pytest
from sqlalchemy import update

from transaction_tracker.delivery.signature import verify
from transaction_tracker.domain.alert import ALERT_KINDS
from transaction_tracker.follower.verdict import Verdict
from transaction_tracker.metrics import Gauges, Metrics
from transaction_tracker.store import Store, chain, endpoints
from transaction_tracker.store.schema import outbox

from ..delivery.receiver import Receiver  # noqa: TID252 - the one receiver of scripted responses
from ..delivery.support import happens  # noqa: TID252 - the one way to store deliveries
from .support import Stand, provider, receive_alerts, silent_database, until

# Longer than any delay, and than the time for which any fault must be gone.
LONG = 500.0

Fault = Callable[[Stand, Receiver], Awaitable[None]]


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    ours = Metrics(runtime=False)
    ours.attach()
    yield ours
    ours.detach()


async def halt(stand: Stand, _: Receiver) -> None:
    stand.show(verdict=Verdict("halted", "no block was applied"))


async def lag(stand: Stand, _: Receiver) -> None:
    stand.show(blocks_behind=1_000)


async def move(stand: Stand, _: Receiver) -> None:
    stand.show(verdict=Verdict("ok"), blocks_behind=0)


async def lose_provider(stand: Stand, _: Receiver) -> None:
    stand.show(providers=[provider("a-1", "paused"), provider("b-2")])


async def find_provider(stand: Stand, _: Receiver) -> None:
    stand.show(providers=[provider("a-1"), provider("b-2", "healthy")])


async def freeze(_: Stand, __: Receiver) -> None:
    await Store.pause_deliveries()


async def resume(_: Stand, __: Receiver) -> None:
    await Store.resume_deliveries()


async def stall(_: Stand, receiver: Receiver) -> None:
    """Leave a delivery pending that is older than the threshold; no outbox runs."""
    await receive_alerts("http://127.0.0.1:9/", "tracker.parked", states=None)
    await happens("tx", states=["pending"])
    await age_deliveries(100.0)


async def flow(_: Stand, __: Receiver) -> None:
    await age_deliveries(0.0)


async def age_deliveries(seconds: float) -> None:
    older = update(outbox).values(created_at=time.time() - seconds)
    await Store.run(lambda connection: connection.execute(older) and None)


async def fail_endpoint(stand: Stand, receiver: Receiver) -> None:
    bad = await receive_alerts("http://127.0.0.1:9/", "tracker.parked")
    since = time.time()
    await Store.run(partial(endpoints.set_failing, endpoint=bad.id, since=since))


async def repair_endpoint(_: Stand, __: Receiver) -> None:
    def repair(connection: object) -> None:
        for endpoint in endpoints.load_all(connection):  # type: ignore[arg-type]
            endpoints.set_failing(connection, endpoint.id, None)  # type: ignore[arg-type]

    await Store.run(repair)


async def park(stand: Stand, _: Receiver) -> None:
    stand.show(parked={"0x1": "poison"}, parked_count=1)


async def recheck(stand: Stand, _: Receiver) -> None:
    stand.show(parked={}, parked_count=0)


async def fill_disk(stand: Stand, _: Receiver) -> None:
    stand.free = 5.0


async def free_disk(stand: Stand, _: Receiver) -> None:
    stand.free = 50.0


FAULTS: dict[str, tuple[Fault, Fault]] = {
    "source.halted": (halt, move),
    "source.lagging": (lag, move),
    "provider.down": (lose_provider, find_provider),
    "finality_violation": (freeze, resume),
    "outbox.stalled": (stall, flow),
    "endpoint.failing": (fail_endpoint, repair_endpoint),
    "tracker.parked": (park, recheck),
    "disk.low": (fill_disk, free_disk),
}


def test_every_kind_of_alert_has_a_test() -> None:
    assert tuple(FAULTS) == ALERT_KINDS


def active(metrics: Metrics, stand: Stand, kind: str) -> float:
    """Return the number of active alerts of a kind on the metrics page."""
    page = metrics.render(Gauges(alerts=stand.board.counts())).decode()
    start = f'transaction_tracker_alerts_active{{kind="{kind}",'
    return sum(float(line.split()[-1]) for line in page.splitlines() if line.startswith(start))


def changes(metrics: Metrics, kind: str) -> dict[str, float]:
    """Return how many alerts of a kind were raised, changed and cleared."""
    return {
        sample.labels["change"]: sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "transaction_tracker_alert_changes_total"
        and sample.labels["kind"] == kind
    }


@pytest.mark.parametrize("kind", ALERT_KINDS)
async def test_alert_is_raised_and_cleared_in_webhooks_log_and_metrics(
    stand: Stand,
    receiver: Receiver,
    metrics: Metrics,
    caplog: pytest.LogCaptureFixture,
    kind: str,
) -> None:
    caplog.set_level(logging.INFO, logger="transaction_tracker")
    begin, end = FAULTS[kind]
    endpoint = await receive_alerts(receiver.url)
    await stand.read()
    assert (stand.board.active, active(metrics, stand, kind)) == ((), 0)

    await begin(stand, receiver)
    await stand.read()
    await stand.evaluated(LONG)
    mine = [alert for alert in stand.board.active if alert.kind == kind]
    await until(lambda: raised(receiver, endpoint.secret.reveal(), "alert.raised", kind))
    assert len(mine) == 1
    assert active(metrics, stand, kind) == 1
    assert changes(metrics, kind) == {"raised": 1}

    await end(stand, receiver)
    await stand.read()
    await stand.evaluated(LONG)
    await stand.evaluated(LONG)
    await until(lambda: raised(receiver, endpoint.secret.reveal(), "alert.cleared", kind))
    assert active(metrics, stand, kind) == 0
    assert changes(metrics, kind) == {"raised": 1, "cleared": 1}

    lines = [record for record in caplog.records if getattr(record, "alert", None) == mine[0].id]
    assert [(record.levelname, record.getMessage().split(":")[0]) for record in lines] == [
        ("ERROR" if mine[0].severity == "critical" else "WARNING", "alert raised"),
        ("INFO", "alert cleared"),
    ]
    assert mine[0].text in lines[0].getMessage()


def raised(receiver: Receiver, secret: str, change: str, kind: str) -> bool:
    """Return whether exactly one webhook with a valid signature told a change of an alert."""
    told = [
        came
        for came in receiver.received
        if (came.message["type"], came.message["data"]["kind"]) == (change, kind)
    ]
    assert len(told) <= 1
    return [verify(secret, came.headers, came.body) for came in told] != []


async def test_message_has_the_whole_alert(stand: Stand, receiver: Receiver) -> None:
    await receive_alerts(receiver.url)
    await stand.read()
    await halt(stand, receiver)
    await stand.evaluated()
    await until(lambda: receiver.accepted)

    (alert,), (came,) = stand.board.active, receiver.received
    data = came.message["data"]
    assert came.id == f"{alert.id}:1"
    assert came.message["type"] == "alert.raised"
    assert data == {
        "id": alert.id,
        "kind": "source.halted",
        "subject": alert.subject,
        "severity": "critical",
        "text": "no block was applied; run txtrack doctor",
        "since": data["since"],
        "raised_at": data["raised_at"],
        "cleared_at": None,
        "version": 1,
        "schema": 1,
    }
    assert data["since"] <= data["raised_at"] <= came.message["timestamp"]


async def test_change_of_severity_is_told_once(
    stand: Stand, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    await receive_alerts(receiver.url)
    await stand.read()
    await fill_disk(stand, receiver)
    await stand.read()
    stand.free = 1.0
    await stand.read()
    for _ in range(3):
        await stand.evaluated(10)

    await until(lambda: len(receiver.accepted) == 2)
    told = [(came.message["type"], came.message["data"]["severity"]) for came in receiver.received]
    assert told == [("alert.raised", "warning"), ("alert.changed", "critical")]
    assert [came.id[-2:] for came in receiver.received] == [":1", ":2"]
    assert caplog.text.count("alert changed: disk.low (critical)") == 1


async def test_fault_that_comes_and_goes_is_told_once(stand: Stand, receiver: Receiver) -> None:
    await receive_alerts(receiver.url)
    await stand.read()
    for _ in range(20):
        await halt(stand, receiver)
        await stand.evaluated(50)
        await move(stand, receiver)
        await stand.evaluated(50)

    await until(lambda: receiver.accepted and not stand.board.queued)
    assert len(receiver.received) == 1


async def test_silent_database_delays_no_alert(
    stand: Stand, receiver: Receiver, caplog: pytest.LogCaptureFixture, metrics: Metrics
) -> None:
    await receive_alerts(receiver.url)
    await stand.read()

    async with silent_database(stand):
        await stand.evaluated(60)
        await until(lambda: len(receiver.accepted) == 1)
        await halt(stand, receiver)
        await stand.evaluated(300)
        await until(lambda: len(receiver.accepted) == 3)
        assert active(metrics, stand, "outbox.stalled") == 1
        assert "the database has not answered for 300 s" in caplog.text
        assert stand.board.has_changes
    await move(stand, receiver)
    await stand.read()
    await stand.evaluated()
    await stand.read()
    stand.clock.seconds += LONG
    await stand.read()

    await until(lambda: len(receiver.accepted) == 5)
    told = [(came.message["type"], came.message["data"]["subject"]) for came in receiver.received]
    assert sorted(told[:3]) == [
        ("alert.changed", "database"),
        ("alert.raised", "database"),
        ("alert.raised", "somewhere:1"),
    ]
    assert sorted(told[3:]) == [("alert.cleared", "database"), ("alert.cleared", "somewhere:1")]
    await until(lambda: not stand.board.has_changes)


async def test_frozen_deliveries_delay_no_alert(stand: Stand, receiver: Receiver) -> None:
    await receive_alerts(receiver.url, states=None)
    await happens("tx", states=["pending"])
    await chain_frozen(stand)

    await until(lambda: receiver.accepted)

    assert [came.message["data"]["kind"] for came in receiver.received] == ["finality_violation"]


async def chain_frozen(stand: Stand) -> None:
    await Store.run(chain.pause_deliveries)
    await stand.read()
