"""Metrics: counted from events, bounded, and stopped by detach."""

from collections.abc import Iterator

import pytest

from beamish import telemetry
from transaction_tracker.domain.alert import ALERT_KINDS, SEVERITIES
from transaction_tracker.metrics import Gauges, LeaseGauges, Metrics
from transaction_tracker.metrics.metrics import MAX_LABEL_VALUES, OTHER


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    ours = Metrics(runtime=False)
    ours.attach()
    yield ours
    ours.detach()


def emit(*event: str, numbers: dict[str, float] | None = None, **facts: object) -> None:
    telemetry.execute(("transaction_tracker", *event), numbers or {}, facts)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"transaction_tracker_{name}", labels)


def test_a_block_is_counted(metrics: Metrics) -> None:
    numbers = {"seconds": 0.02, "transactions": 400, "hits": 3, "requests": 4}
    emit("block", "applied", numbers=numbers, number=7)

    assert value(metrics, "block_apply_seconds_count") == 1
    assert value(metrics, "block_apply_seconds_sum") == 0.02
    assert value(metrics, "block_hits_total") == 3
    assert value(metrics, "rpc_requests_per_block_sum") == 4


def test_each_event_of_the_tracker_is_counted(metrics: Metrics) -> None:
    emit("transition", previous="pending", state="mined")
    emit("transaction", "detected", numbers={"seconds": 0.03})
    emit("reorg", numbers={"depth": 5})
    emit("deposits", numbers={"tracked": 2, "below_minimum": 7})
    emit("sweep", numbers={"asked": 20, "age_seconds": 7.0})
    emit("store", "commit", numbers={"seconds": 0.004, "works": 2})
    emit(
        "provider",
        "request",
        numbers={"duration_seconds": 0.01, "calls": 3},
        provider="a-1",
        outcome="ok",
    )
    emit("webhook", "attempt", numbers={"seconds": 0.1}, endpoint="ep_1", outcome="delivered")

    assert value(metrics, "transitions_total", **{"from": "pending", "to": "mined"}) == 1
    assert value(metrics, "detection_seconds_sum") == 0.03
    assert value(metrics, "reorgs_total") == 1
    assert value(metrics, "reorg_depth_blocks_sum") == 5
    assert value(metrics, "deposits_total", result="tracked") == 2
    assert value(metrics, "deposits_total", result="below_minimum") == 7
    assert value(metrics, "swept_total") == 20
    assert value(metrics, "sweep_age_seconds_sum") == 7.0
    assert value(metrics, "database_seconds_sum") == 0.004
    assert value(metrics, "rpc_requests_total", provider="a-1", outcome="ok") == 1
    assert value(metrics, "rpc_request_seconds_sum", provider="a-1") == 0.01
    assert value(metrics, "webhook_attempts_total", outcome="delivered") == 1


@pytest.mark.parametrize(("what", "name"), [("restart", "restarts"), ("give_up", "parks")])
def test_only_trackers_are_counted_as_trackers(metrics: Metrics, what: str, name: str) -> None:
    for class_name in ("TransactionTracker", "Store"):
        telemetry.execute(("beamish", "supervisor", what), {"count": 1}, {"class": class_name})

    assert value(metrics, f"tracker_{name}_total") == 1


def test_number_of_label_values_is_bounded(metrics: Metrics) -> None:
    for number in range(MAX_LABEL_VALUES + 10):
        numbers = {"duration_seconds": 0.0}
        emit("provider", "request", numbers=numbers, provider=f"p{number}", outcome="ok")

    page = metrics.render(Gauges()).decode()
    assert value(metrics, "rpc_requests_total", provider=OTHER, outcome="ok") == 10
    assert page.count("transaction_tracker_rpc_requests_total{") == MAX_LABEL_VALUES + 1


def test_gauges_have_the_given_values(metrics: Metrics) -> None:
    gauges = Gauges(tracked={"pending": 3}, parked=1, head_lag_blocks=2)

    page = metrics.render(gauges).decode()

    assert 'transaction_tracker_tracked{state="pending"} 3.0' in page
    assert "transaction_tracker_parked 1.0" in page
    assert "transaction_tracker_head_lag_blocks 2.0" in page
    assert "source_halted" not in page
    assert "head_lag_seconds" not in page  # nobody knows it


def test_active_alerts_are_counted_and_kinds_without_one_are_0(metrics: Metrics) -> None:
    page = metrics.render(Gauges(alerts={("disk.low", "critical"): 2})).decode()

    lines = [line for line in page.splitlines() if line.startswith("transaction_tracker_alerts_")]
    assert len(lines) == len(ALERT_KINDS) * len(SEVERITIES)
    name = "transaction_tracker_alerts_active"
    assert f'{name}{{kind="disk.low",severity="critical"}} 2.0' in lines
    assert f'{name}{{kind="disk.low",severity="warning"}} 0.0' in lines
    assert name not in metrics.render(Gauges()).decode()


def test_changes_of_alerts_are_counted_by_kind(metrics: Metrics) -> None:
    emit("alert", "raised", kind="disk.low", subject="disk", severity="warning")
    emit("alert", "changed", kind="disk.low", subject="disk", severity="critical")
    emit("alert", "cleared", kind="disk.low", subject="disk", severity="critical")
    emit("alert", "raised", kind="disk.low", subject="disk", severity="warning")

    assert value(metrics, "alert_changes_total", kind="disk.low", change="raised") == 2
    assert value(metrics, "alert_changes_total", kind="disk.low", change="changed") == 1
    assert value(metrics, "alert_changes_total", kind="disk.low", change="cleared") == 1


def test_gauges_of_a_halted_source(metrics: Metrics) -> None:
    gauges = Gauges(source_halted=1, source_lagging=0, last_block_applied_seconds=75.5, ends_held=1)

    page = metrics.render(gauges).decode()

    assert "transaction_tracker_source_halted 1.0" in page
    assert "transaction_tracker_source_lagging 0.0" in page
    assert "transaction_tracker_last_block_applied_seconds 75.5" in page
    assert "transaction_tracker_ends_held 1.0" in page


def test_skipped_responses_are_counted_by_kind(metrics: Metrics) -> None:
    emit("unreadable", numbers={"count": 2}, kind="transaction")
    emit("unreadable", numbers={"count": 1}, kind="receipt")

    assert value(metrics, "unreadable_total", kind="transaction") == 2
    assert value(metrics, "unreadable_total", kind="receipt") == 1


def test_attach_is_idempotent_and_detach_stops_counting(metrics: Metrics) -> None:
    metrics.attach()
    emit("reorg", numbers={"depth": 1})
    metrics.detach()
    emit("reorg", numbers={"depth": 1})

    assert value(metrics, "reorgs_total") == 1


def test_beamish_metrics_are_on_the_same_page() -> None:
    metrics = Metrics()
    metrics.attach()

    page = metrics.render(Gauges()).decode()
    metrics.detach()

    assert "beamish_processes" in page
    assert "beamish" not in metrics.render(Gauges()).decode()


def test_two_applications_have_separate_registries() -> None:
    one, other = Metrics(), Metrics()
    one.attach()
    other.attach()
    one.detach()
    emit("reorg", numbers={"depth": 1})
    other.detach()

    assert (value(one, "reorgs_total"), value(other, "reorgs_total")) == (0, 1)


def test_lease_has_its_metrics_and_a_service_without_one_has_none() -> None:
    metrics = Metrics(runtime=False)
    lease = LeaseGauges(owner=1, epoch=7, seconds=8.5, renewals=30, failed_renewals=2, takeovers=1)

    metrics.render(Gauges(lease=lease))

    assert value(metrics, "lease_owner") == 1
    assert value(metrics, "lease_epoch") == 7
    assert value(metrics, "lease_seconds") == 8.5
    assert value(metrics, "lease_renewals_total", outcome="renewed") == 30
    assert value(metrics, "lease_renewals_total", outcome="failed") == 2
    assert value(metrics, "lease_takeovers_total") == 1
    assert b"_lease_" not in metrics.render(Gauges())
