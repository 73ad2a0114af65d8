"""Alerts in the database: stored as they are, twice without effect, and up to a limit."""

from dataclasses import replace
from typing import Any

from transaction_tracker.domain.alert import Alert, AlertNotice
from transaction_tracker.domain.webhook_endpoint import WebhookSecret
from transaction_tracker.store import alerts, chain, endpoints
from transaction_tracker.store.alerts import MAX_CLEARED, AlertChanges, DatabaseView

from .support import Run

FULL = Alert("al_1", "disk.low", "disk", "warning", "it is full", 1.0, 2.0)
HALTED = Alert("al_2", "source.halted", "eip155:1", "critical", "it stands", 1.5, 3.0)
CLEARED = replace(FULL, version=2, cleared_at=9.0)
FIRST = AlertNotice("ep_1", "al_1", 1, b'{"type": "alert.raised"}', 5.0)
SECOND = replace(FIRST, version=2, created_at=6.0)


def save(run: Run, **changes: Any) -> None:
    run(alerts.save, AlertChanges(**changes))


def key(notice: AlertNotice) -> tuple[str, str, int]:
    return notice.endpoint, notice.alert, notice.version


def test_alerts_are_loaded_as_they_were_stored(run: Run) -> None:
    save(run, alerts=[HALTED, FULL], notices=[SECOND, FIRST])

    assert run(alerts.load) == ([FULL, HALTED], [FIRST, SECOND])
    assert run(alerts.load_active) == [FULL, HALTED]


def test_changed_alert_replaces_the_stored_one(run: Run) -> None:
    save(run, alerts=[FULL, HALTED])

    save(run, alerts=[CLEARED])

    assert run(alerts.load)[0] == [CLEARED, HALTED]
    assert run(alerts.load_active) == [HALTED]


def test_changes_that_are_stored_twice_are_there_once(run: Run) -> None:
    for _ in range(2):
        save(run, alerts=[FULL], notices=[FIRST])

    assert run(alerts.load) == ([FULL], [FIRST])


def test_settled_notice_is_deleted_or_never_stored(run: Run) -> None:
    save(run, notices=[FIRST])

    save(run, notices=[SECOND], settled=[key(FIRST), key(SECOND)])

    assert run(alerts.load) == ([], [])


def test_many_settled_notices_are_deleted(run: Run) -> None:
    many = [replace(FIRST, version=number) for number in range(2_500)]
    save(run, notices=many)

    save(run, settled=[key(notice) for notice in many[1:]])

    assert run(alerts.load) == ([], many[:1])


def test_only_the_last_cleared_alerts_are_kept(run: Run) -> None:
    old = [
        replace(CLEARED, id=f"al_{number:04}", cleared_at=float(number))
        for number in range(MAX_CLEARED + 10)
    ]
    save(run, alerts=[HALTED])

    save(run, alerts=old)

    kept = run(alerts.load)[0]
    assert HALTED in kept
    assert sorted(alert.id for alert in kept if not alert.active) == [
        alert.id for alert in old[10:]
    ]


def test_text_from_outside_is_made_storable(run: Run) -> None:
    save(run, alerts=[replace(FULL, text="a\0b", subject="x\0y")])

    (stored,) = run(alerts.load)[0]
    assert (stored.text, stored.subject) == (
        "a\N{REPLACEMENT CHARACTER}b",
        "x\N{REPLACEMENT CHARACTER}y",
    )


def test_endpoint_that_rejects_messages_is_disabled(run: Run) -> None:
    endpoint = run(
        endpoints.add, "https://x.example/", WebhookSecret.generate(), None, ["disk.low"]
    )

    save(run, gone={endpoint.id: "it said so", "ep_removed": "it said so"})

    stored = run(endpoints.load, endpoint.id)
    assert (stored.enabled, stored.disabled_reason) == (False, "it said so")


def test_view_shows_frozen_deliveries_and_endpoints_with_their_alerts(run: Run) -> None:
    assert run(alerts.view) == DatabaseView()

    endpoint = run(endpoints.add, "https://x.example/", WebhookSecret.generate(), (), ["disk.low"])
    run(chain.pause_deliveries)

    view = run(alerts.view)
    assert view.frozen_since is not None
    assert view.endpoints == (endpoint,)
    assert (endpoint.states, endpoint.alerts) == ((), ("disk.low",))


def test_kind_of_another_version_of_the_program_is_ignored(run: Run) -> None:
    endpoint = run(
        endpoints.add, "https://x.example/", WebhookSecret.generate(), None, ["disk.low"]
    )
    run(endpoints.change, endpoint.id, endpoint.url, None, ["moon.full", "disk.low"])

    assert run(endpoints.load, endpoint.id).alerts == ("disk.low",)
