"""Notices of alerts are delivered at least once and in order, whatever fails."""

import time
from collections.abc import Sequence

import pytest

from beamish import GenServer, Supervisor, debug, process
from transaction_tracker.alerts import ALERTS, Alerts, names, sender
from transaction_tracker.alerts.board import MAX_QUEUED
from transaction_tracker.delivery import schedule
from transaction_tracker.domain.alert import Alert, FaultWatches
from transaction_tracker.follower.verdict import Verdict
from transaction_tracker.store import Store, endpoints

from ..clock import Clock  # noqa: TID252 - the one virtual clock
from ..delivery.receiver import Gate, Receiver  # noqa: TID252 - the one receiver
from .support import WORKS, Stand, alerting, receive_alerts, until

HALTED = Verdict("halted", "no block was applied")
OK = Verdict("ok")


def told(receiver: Receiver) -> list[str]:
    """Return the types of the messages that the receiver accepted, in order."""
    types = {came.id: came.message["type"] for came in receiver.received}
    return [types[key] for key in receiver.accepted]


def alert(number: int = 0, **facts: object) -> Alert:
    given = {"kind": "disk.low", "subject": "disk", "severity": "warning", "text": "it is full"}
    moment = {"since": 0.0, "raised_at": 0.0}
    return Alert(**{"id": f"al_{number}"} | given | moment | facts)  # type: ignore[arg-type]


def report(stand: Stand, *alerts: Alert) -> None:
    """Report alerts that the test has made."""
    stand.board.evaluated(FaultWatches(), alerts)
    names.deliver()
    names.sync()


async def halt(stand: Stand) -> None:
    stand.show(verdict=HALTED)
    await stand.evaluated()


async def recover(stand: Stand) -> None:
    stand.show(verdict=OK)
    await stand.evaluated()
    await stand.evaluated(100)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten retries to milliseconds."""
    monkeypatch.setattr(schedule, "DELAYS", (0.01,) * 7)


async def test_endpoint_without_alerts_gets_none(stand: Stand, receiver: Receiver) -> None:
    await receive_alerts(f"{receiver.url}/other", "disk.low")
    await receive_alerts(f"{receiver.url}/mine", "source.halted")
    await stand.read()

    await halt(stand)
    await recover(stand)
    await until(lambda: len(receiver.accepted) == 2)

    assert {came.path for came in receiver.received} == {"/hook/mine"}


async def test_alert_about_an_endpoint_goes_to_the_others(stand: Stand, receiver: Receiver) -> None:
    bad = await receive_alerts(f"{receiver.url}/bad")
    await receive_alerts(f"{receiver.url}/good")
    since = time.time()
    await Store.run(lambda connection: endpoints.set_failing(connection, bad.id, since))

    await stand.read()
    await until(lambda: receiver.accepted)
    await until(lambda: not stand.board.queued)

    assert [came.path for came in receiver.received] == ["/hook/good"]
    assert receiver.received[0].message["data"]["subject"] == bad.id


@pytest.mark.usefixtures("soon")
async def test_dead_endpoint_gets_its_notices_in_order_once_it_works(
    stand: Stand, receiver: Receiver
) -> None:
    await receive_alerts(receiver.url)
    await stand.read()
    receiver.script = lambda _: 503

    await halt(stand)
    await recover(stand)
    await until(lambda: len(receiver.received) > 10)
    assert {came.message["type"] for came in receiver.received} == {"alert.raised"}
    receiver.script = lambda _: 204
    await until(lambda: len(receiver.accepted) == 2)

    assert told(receiver) == ["alert.raised", "alert.cleared"]
    assert len({came.body for came in receiver.received}) == 2  # the same at each attempt
    await until(lambda: not stand.board.queued)


@pytest.mark.usefixtures("soon")
async def test_endpoint_that_accepts_no_alerts_is_reported_to_the_others(
    stand: Stand, receiver: Receiver
) -> None:
    async with Receiver(script=lambda _: 503) as dead:
        bad = await receive_alerts(dead.url)
        await receive_alerts(receiver.url)
        await stand.read()
        await halt(stand)
        await until(lambda: stand.board.deaf(5))

        await stand.evaluated()
        await until(lambda: len(receiver.accepted) == 2)
        subjects = [came.message["data"]["subject"] for came in receiver.received]
        assert subjects[1] == bad.id

        dead.script = lambda _: 204
        await until(lambda: not stand.board.deaf(5))  # the sender has read a response
        await stand.evaluated()
        await stand.evaluated(100)
        await until(lambda: len(receiver.accepted) == 3)

    assert told(receiver)[1:] == ["alert.raised", "alert.cleared"]
    assert {came.message["data"]["kind"] for came in dead.received} == {"source.halted"}


async def test_endpoint_that_hangs_does_not_delay_another_one(
    stand: Stand, receiver: Receiver
) -> None:
    async with Receiver(script=Gate()) as hanging:
        await receive_alerts(hanging.url)
        await receive_alerts(receiver.url)
        await stand.read()

        await halt(stand)
        await recover(stand)

        await until(lambda: len(receiver.accepted) == 2)
        assert (len(hanging.received), hanging.accepted) == (1, [])


async def test_delays_between_attempts_grow_to_ten_minutes(
    store: None, receiver: Receiver, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "jitter", lambda: 0.0)
    async with alerting(Stand()) as stand:
        await receive_alerts(receiver.url)
        await stand.read()
        receiver.script = lambda _: 503
        report(stand, alert())
        began = clock.now()
        for number, delay in enumerate([5, 30, 120, 600, 600, 600], 1):
            await until(lambda count=number: len(receiver.received) == count)
            (queue,) = stand.board.queues.values()
            await until(lambda count=number: queue.failures == count)  # noqa: B023
            assert began + delay <= queue.due_at <= clock.now() + delay
            clock.advance(queue.due_at - clock.now())
            began = queue.due_at


async def test_receiver_can_ask_for_up_to_an_hour(
    stand: Stand, receiver: Receiver, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "jitter", lambda: 0.0)
    await receive_alerts(receiver.url)
    await stand.read()
    receiver.script = _busy

    report(stand, alert())
    await until(lambda: any(queue.failures for queue in stand.board.queues.values()))

    (queue,) = stand.board.queues.values()
    assert queue.due_at - clock.now() == pytest.approx(3_600, abs=50)


def _busy(_: object) -> object:
    from aiohttp import web

    return web.Response(status=429, headers={"Retry-After": "80000"})


async def test_endpoint_that_rejects_messages_is_disabled_and_keeps_its_notices(
    stand: Stand, receiver: Receiver
) -> None:
    endpoint = await receive_alerts(receiver.url)
    await stand.read()
    receiver.script = lambda _: 410

    await halt(stand)
    await until(lambda: receiver.received)
    await until(lambda: not stand.board.endpoints[endpoint.id].enabled)
    stored = await Store.run(lambda connection: endpoints.load(connection, endpoint.id))
    assert stored is not None
    assert stored.disabled_reason == "it rejects further deliveries: HTTP 410"
    assert stand.board.queued == 1

    receiver.script = lambda _: 204
    next(iter(stand.board.queues.values())).due_at = 0.0
    await Store.run(lambda connection: endpoints.enable(connection, endpoint.id))
    await stand.read()
    await until(lambda: receiver.accepted)
    assert told(receiver) == ["alert.raised"]


async def test_disabled_endpoint_gets_no_notice(stand: Stand, receiver: Receiver) -> None:
    endpoint = await receive_alerts(receiver.url)
    await Store.run(lambda connection: endpoints.disable(connection, endpoint.id, "by hand"))
    await stand.read()

    await halt(stand)

    assert stand.board.active != ()
    assert stand.board.queued == 0


async def test_notices_of_a_removed_endpoint_are_dropped(stand: Stand, receiver: Receiver) -> None:
    receiver.script = lambda _: 503
    endpoint = await receive_alerts(receiver.url)
    await stand.read()
    await halt(stand)
    await until(lambda: receiver.received)

    await Store.run(lambda connection: endpoints.remove(connection, endpoint.id))
    await stand.read()
    await until(lambda: not stand.board.has_changes)

    assert stand.board.queues == {}
    assert await stored_notices() == []


async def test_oldest_notices_are_dropped_beyond_a_limit(
    stand: Stand, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.script = Gate()
    await receive_alerts(receiver.url)
    await stand.read()
    report(stand, alert())
    await until(lambda: receiver.received)

    report(stand, *(alert(number + 1) for number in range(MAX_QUEUED)))

    assert stand.board.queued == MAX_QUEUED
    assert "alert notice al_0:1 to endpoint ep_" in caplog.text
    receiver.script.opened.set()
    await until(lambda: len(receiver.accepted) == 1 + MAX_QUEUED)
    assert receiver.accepted == [f"al_{number}:1" for number in range(1 + MAX_QUEUED)]


@pytest.mark.usefixtures("soon")
async def test_notice_of_a_day_ago_is_dropped(
    stand: Stand,
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    receiver.script = lambda _: 503
    await receive_alerts(receiver.url)
    await stand.read()
    report(stand, alert())
    await until(lambda: len(receiver.received) > 2)

    monkeypatch.setattr(sender, "MAX_NOTICE_SECONDS", 0.0)
    await until(lambda: not stand.board.queued)

    assert "is dropped: not accepted for a day; HTTP 503" in caplog.text


@pytest.mark.parametrize("name", [names.WATCHER, names.KEEPER, names.SENDER])
async def test_killed_process_restarts_and_nothing_is_lost_or_told_twice(
    stand: Stand, receiver: Receiver, name: str
) -> None:
    await receive_alerts(receiver.url)
    await stand.read()
    await halt(stand)
    await until(lambda: receiver.accepted)
    await until(lambda: not stand.board.queued)  # the sender has read the response
    before = [process.whereis(one) for one in (names.WATCHER, names.KEEPER, names.SENDER)]

    process.exit(name, "kill")
    await until(lambda: process.whereis(name) not in (None, *before))
    await stand.evaluated()
    await recover(stand)
    await until(lambda: len(receiver.accepted) == 2)

    assert told(receiver) == ["alert.raised", "alert.cleared"]
    after = [process.whereis(one) for one in (names.WATCHER, names.KEEPER, names.SENDER)]
    assert sum(old != new for old, new in zip(before, after, strict=True)) == 1


async def test_killed_sender_repeats_the_attempt_in_flight(
    stand: Stand, receiver: Receiver
) -> None:
    gate = receiver.script = Gate()
    await receive_alerts(receiver.url)
    await stand.read()
    report(stand, alert())
    await until(lambda: receiver.received)

    process.exit(names.SENDER, "kill")
    await until(lambda: len(receiver.received) == 2)
    gate.opened.set()
    await until(lambda: not stand.board.queued)

    assert {came.id for came in receiver.received} == {"al_0:1"}


async def test_crash_of_an_attempt_counts_as_a_failure(
    stand: Stand, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "send", lambda *_: 1 / 0)
    await receive_alerts(receiver.url)
    await stand.read()

    report(stand, alert())

    await until(lambda: any(queue.failures for queue in stand.board.queues.values()))
    assert GenServer.whereis(names.SENDER) is not None
    assert stand.board.queued == 1


# -- Over a restart of the program


async def test_alert_that_is_still_true_after_a_restart_is_not_told_again(
    store: None, receiver: Receiver
) -> None:
    await receive_alerts(receiver.url)
    async with alerting(Stand()) as stand:
        await stand.read()
        await halt(stand)
        await until(lambda: receiver.accepted)
        (before,) = stand.board.active
        await until(lambda: not (stand.board.queued or stand.board.has_changes))

    async with alerting(Stand()) as stand:
        stand.show(verdict=Verdict("starting", "no response yet"))
        await stand.evaluated(500)
        assert stand.board.active == (before,)
        await halt(stand)
        await stand.evaluated(500)
        assert stand.board.active == (before,)
        await recover(stand)
        await until(lambda: len(receiver.accepted) == 2)

        assert told(receiver) == ["alert.raised", "alert.cleared"]
        assert receiver.accepted == [f"{before.id}:1", f"{before.id}:2"]
        await until(lambda: not (stand.board.queued or stand.board.has_changes))

    async with alerting(Stand()) as stand:
        assert stand.board.active == ()
        assert [(alert.id, alert.change) for alert in stand.board.cleared] == [
            (before.id, "cleared")
        ]


async def test_nothing_is_raised_before_the_stored_alerts_are_loaded() -> None:
    stand = Stand()  # no store runs
    stand.show(verdict=HALTED)
    async with Supervisor.running([Alerts.child_spec(stand.context(), name=ALERTS)]):
        names.evaluate()
        await debug.get_state(names.WATCHER)  # after the evaluation

        assert stand.board.active == ()
        assert not stand.board.loaded


async def test_nothing_is_raised_or_cleared_while_the_service_starts(
    stand: Stand, receiver: Receiver
) -> None:
    await receive_alerts(receiver.url)
    await stand.read()
    await halt(stand)
    stand.view = None
    stand.clock.seconds += 500

    names.evaluate()
    await debug.get_state(names.WATCHER)
    assert [alert.change for alert in stand.board.active] == ["raised"]

    stand.view = WORKS
    await stand.evaluated()
    assert [alert.change for alert in stand.board.active] == ["raised"]


async def test_fault_that_ended_while_the_program_was_stopped_is_cleared(
    store: None, receiver: Receiver
) -> None:
    await receive_alerts(receiver.url)
    async with alerting(Stand()) as stand:
        await stand.read()
        await halt(stand)
        await until(lambda: not (stand.board.has_changes or stand.board.queued))

    async with alerting(Stand()) as stand:
        await stand.evaluated()
        await stand.evaluated(100)
        await until(lambda: len(receiver.accepted) == 2)

    assert told(receiver) == ["alert.raised", "alert.cleared"]


async def test_undelivered_notice_is_delivered_after_a_restart(
    store: None, receiver: Receiver
) -> None:
    receiver.script = lambda _: 503
    await receive_alerts(receiver.url)
    async with alerting(Stand()) as stand:
        await stand.read()
        await halt(stand)
        await until(lambda: receiver.received)
        await until(lambda: not stand.board.has_changes)
    (first,) = {came.body for came in receiver.received}
    receiver.script = lambda _: 204

    async with alerting(Stand()) as stand:
        await until(lambda: receiver.accepted)
        await until(lambda: not (stand.board.queued or stand.board.has_changes))
        assert await stored_notices() == []

    assert {came.body for came in receiver.received} == {first}
    assert told(receiver) == ["alert.raised"]


async def stored_notices() -> Sequence[object]:
    from transaction_tracker.store import alerts

    _, notices = await Store.run(alerts.load)
    return notices
