"""Which faults there are, as a pure function of what is observed."""

from dataclasses import replace
from typing import Any

import pytest

from transaction_tracker.alerts import MAX_PARKED_ALERTS, AlertOptions
from transaction_tracker.alerts.faults import Observed, holds, symptoms, unknown
from transaction_tracker.delivery import health
from transaction_tracker.domain.alert import ALERT_KINDS, Symptom
from transaction_tracker.follower.verdict import Verdict
from transaction_tracker.store.alerts import DatabaseView

from .support import SOURCE, WORKS, endpoint, provider

WALL = 10_000.0
DEFAULTS = AlertOptions()
NOTHING = Observed(wall=WALL, service=WORKS, database=DatabaseView(), free_percent=50.0)


def found(options: AlertOptions = DEFAULTS, **facts: Any) -> list[Symptom]:
    """Return the faults of a service that differs from a healthy one by some facts."""
    service = {name: facts.pop(name) for name in list(facts) if hasattr(WORKS, name)}
    return symptoms(replace(NOTHING, service=replace(WORKS, **service), **facts), options)


def severities(symptoms: list[Symptom]) -> list[tuple[str, str, str]]:
    return [(symptom.kind, symptom.subject, symptom.severity) for symptom in symptoms]


def test_healthy_service_has_no_fault() -> None:
    assert symptoms(NOTHING, DEFAULTS) == []
    assert unknown(NOTHING) == frozenset()


def test_halted_source_is_critical_since_its_verdict() -> None:
    verdict = Verdict("halted", "no block was applied", since=3.0)

    (symptom,) = found(verdict=verdict, verdict_seconds=61.0)

    assert severities([symptom]) == [("source.halted", SOURCE, "critical")]
    assert symptom.text == "no block was applied; run txtrack doctor"
    assert (symptom.since, symptom.delay) == (WALL - 61.0, 0.0)


def test_lagging_source_is_a_warning_since_its_verdict() -> None:
    (symptom,) = found(verdict=Verdict("lagging", "no head advances"), verdict_seconds=70.0)

    assert severities([symptom]) == [("source.lagging", SOURCE, "warning")]
    assert symptom.text.startswith("no head advances; ")
    assert symptom.since == WALL - 70.0


def test_last_block_far_behind_the_head_is_lagging_after_the_limit_of_the_verdict() -> None:
    assert found(blocks_behind=64) == []
    (slow,) = found(blocks_behind=65)
    (fast,) = found(blocks_behind=65, block_time=0.25)
    (own,) = found(AlertOptions(head_lag_blocks=3), blocks_behind=4, block_time=30.0)

    assert severities([slow]) == [("source.lagging", SOURCE, "warning")]
    assert (slow.delay, fast.delay, own.delay) == (60.0, 60.0, 150.0)


def test_source_without_a_readable_response_is_unknown() -> None:
    starting = replace(NOTHING, service=replace(WORKS, verdict=Verdict("starting", "no response")))

    assert symptoms(starting, DEFAULTS) == []
    assert unknown(starting) == {("source.halted", SOURCE), ("source.lagging", SOURCE)}


def test_source_that_starts_leaves_the_alerts_of_other_sources_alone() -> None:
    starting = replace(WORKS, source="gnosis", verdict=Verdict("starting", "no response"))

    assert unknown(replace(NOTHING, others=[starting])) == {
        ("source.halted", "gnosis"),
        ("source.lagging", "gnosis"),
    }


def test_alert_of_a_source_outlasts_the_limit_of_the_verdict() -> None:
    slow = replace(NOTHING, service=replace(WORKS, block_time=60.0))

    assert holds(NOTHING) == {("source.halted", SOURCE): 75.0, ("source.lagging", SOURCE): 75.0}
    assert holds(slow)["source.halted", SOURCE] == 315.0


def test_alert_of_a_fast_source_is_not_kept_by_a_slow_one() -> None:
    slow = replace(WORKS, source="bitcoin", block_time=1_800.0)

    found = holds(replace(NOTHING, others=(slow,)))

    assert found["source.halted", SOURCE] == found["source.lagging", SOURCE] == 75.0
    assert found["source.halted", "bitcoin"] == 9_015.0


@pytest.mark.parametrize("state", ["paused", "refused", "unchecked"])
def test_unusable_provider_is_a_warning_while_another_one_is_usable(state: str) -> None:
    providers = [provider("a-1", state, last_error="HTTP 502\nbad"), provider("b-2", "healthy")]

    (symptom,) = found(providers=providers)

    assert severities([symptom]) == [("provider.down", "a-1", "warning")]
    assert symptom.delay == 60.0
    assert symptom.text.startswith(f"the provider is {state}: HTTP 502 bad; another one is used")


def test_unusable_providers_are_critical_if_none_is_usable() -> None:
    providers = [provider("a-1", "paused"), provider("b-2", "refused")]

    symptoms = found(AlertOptions(provider_down=5.0), providers=providers)

    assert severities(symptoms) == [
        ("provider.down", "a-1", "critical"),
        ("provider.down", "b-2", "critical"),
    ]
    assert [symptom.delay for symptom in symptoms] == [5.0, 5.0]


def test_provider_that_an_operator_paused_is_not_down() -> None:
    assert found(providers=[provider("a-1", "paused", by_hand=True), provider("b-2")]) == []


def test_long_error_of_a_provider_is_cut() -> None:
    (symptom,) = found(providers=[provider("a-1", "paused", last_error="x" * 5_000)])

    assert "x" * 299 + "…" in symptom.text
    assert "x" * 300 not in symptom.text


@pytest.mark.parametrize(
    ("age", "severity"),
    [(59.9, None), (60.0, "warning"), (299.9, "warning"), (300.0, "critical"), (9_000, "critical")],
)
def test_old_pending_delivery_is_stalled(age: float, severity: str | None) -> None:
    symptoms = found(database=DatabaseView(oldest_pending=WALL - age))

    expected = [] if severity is None else [("outbox.stalled", "outbox", severity)]
    assert severities(symptoms) == expected
    assert all(symptom.since == WALL - age for symptom in symptoms)


@pytest.mark.parametrize(
    ("silence", "severity"), [(59.9, None), (60.0, "warning"), (300.0, "critical")]
)
def test_silent_database_is_stalled(silence: float, severity: str | None) -> None:
    symptoms = found(silence=silence)

    expected = [] if severity is None else [("outbox.stalled", "database", severity)]
    assert severities(symptoms) == expected


def test_thresholds_of_the_outbox_are_options() -> None:
    options = AlertOptions(outbox_warning=5, outbox_critical="10s")
    ages = [severities(found(options, silence=age)) for age in (4.9, 5, 9.9, 10)]

    assert [symptoms and symptoms[0][2] for symptoms in ages] == [
        [],
        "warning",
        "warning",
        "critical",
    ]


def test_finality_violation_is_critical_and_explains_old_deliveries() -> None:
    database = DatabaseView(frozen_since=WALL - 500.0, oldest_pending=WALL - 400.0)

    (symptom,) = found(database=database)

    assert severities([symptom]) == [("finality_violation", SOURCE, "critical")]
    assert symptom.since == WALL - 500.0
    assert "txtrack deliveries resume" in symptom.text


def test_enabled_endpoint_that_fails_is_a_warning() -> None:
    endpoints = (
        endpoint("ep_1", failing_since=WALL - 9.0),
        endpoint("ep_2", failing_since=WALL, enabled=False),
        endpoint("ep_3"),
    )

    (symptom,) = found(database=DatabaseView(endpoints=endpoints))

    assert severities([symptom]) == [("endpoint.failing", "ep_1", "warning")]
    assert symptom.since == WALL - 9.0
    assert "the last 5 attempts or more" in symptom.text
    assert "txtrack webhook attempts ep_1" in symptom.text


def test_endpoint_that_does_not_accept_alerts_is_failing_too() -> None:
    known = DatabaseView(
        endpoints=(
            endpoint("ep_1"),
            endpoint("ep_2", enabled=False),
            endpoint("ep_3", failing_since=WALL - 1.0),
        )
    )
    deaf = dict.fromkeys(("ep_1", "ep_2", "ep_3", "ep_removed"), WALL - 70.0)

    first, other = found(database=known, deaf=deaf)

    assert severities([first]) == [("endpoint.failing", "ep_1", "warning")]
    assert first.since == WALL - 70.0
    assert "txtrack webhook test ep_1" in first.text
    assert (other.subject, other.since) == ("ep_3", WALL - 1.0)


def test_nothing_is_known_of_the_database_before_its_first_answer() -> None:
    first = replace(NOTHING, database=None)

    assert symptoms(first, DEFAULTS) == []
    assert unknown(first) == {"finality_violation", "outbox.stalled", "endpoint.failing"}


def test_parked_transactions_have_an_alert_each_up_to_a_limit() -> None:
    few = {f"0x{number}": "poison" for number in range(2)}
    many = {f"0x{number}": "poison" for number in range(MAX_PARKED_ALERTS)}

    assert severities(found(parked=few, parked_count=2)) == [
        ("tracker.parked", "0x0", "warning"),
        ("tracker.parked", "0x1", "warning"),
    ]
    assert len(found(parked=many, parked_count=MAX_PARKED_ALERTS)) == MAX_PARKED_ALERTS
    *_, last = severities(found(parked=many, parked_count=MAX_PARKED_ALERTS + 1))
    assert last == ("tracker.parked", "trackers", "critical")


@pytest.mark.parametrize(
    ("free", "severity"),
    [(None, None), (10.0, None), (9.9, "warning"), (2.0, "warning"), (1.9, "critical")],
)
def test_nearly_full_disk_is_low(free: float | None, severity: str | None) -> None:
    expected = [] if severity is None else [("disk.low", "disk", severity)]

    assert severities(found(free_percent=free)) == expected


def test_disk_alert_ends_above_its_threshold() -> None:
    nearly = replace(NOTHING, free_percent=11.9)

    assert symptoms(nearly, DEFAULTS) == []
    assert severities(symptoms(nearly, DEFAULTS, [("disk.low", "disk")])) == [
        ("disk.low", "disk", "warning")
    ]
    assert symptoms(replace(nearly, free_percent=12.0), DEFAULTS, [("disk.low", "disk")]) == []


def test_zero_percent_never_raises_a_disk_alert() -> None:
    assert found(AlertOptions(disk_free_percent=0), free_percent=0.0) == []


def test_only_chosen_kinds_are_raised() -> None:
    facts = {"free_percent": 1.0, "silence": 400.0}

    assert len(found(AlertOptions(kinds=("disk.low",)), **facts)) == 1
    assert found(AlertOptions(kinds=()), **facts) == []
    assert AlertOptions().kinds == ALERT_KINDS


def test_default_thresholds_are_those_of_all_other_reports() -> None:
    assert DEFAULTS.flow_limits == health.FlowLimits()
    assert DEFAULTS.endpoint_failures == health.FAILING_THRESHOLD


def test_contradicting_thresholds_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"outbox_critical must be outbox_warning \(60 s\) or more"
    ):
        AlertOptions(outbox_critical=30)
