"""The rules for Prometheus and the dashboard for Grafana ask only for metrics that exist."""

import json
import re
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from beamish import telemetry
from transaction_tracker.domain.alert import ALERT_KINDS, SEVERITIES
from transaction_tracker.domain.sharding import ShardMap
from transaction_tracker.metrics import Gauges, LeaseGauges, Metrics, SourceGauges
from transaction_tracker.router.metrics import RouterMetrics
from transaction_tracker.router.shards import Shards

ROOT = Path(__file__).parents[4]
RULES = yaml.safe_load((ROOT / "deploy" / "prometheus-rules.yml").read_text())
DASHBOARD = json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text())

# Labels that Prometheus adds to every metric of a service, and its own metric of the service.
TARGET_LABELS = {"instance", "job"}
UP = {"up": TARGET_LABELS}

NAME = re.compile(r"\b(?:transaction_tracker_|beamish_)\w+|\bup\b")
SELECTOR = re.compile(r"(?P<name>\w+)\{(?P<labels>[^}]*)\}")
LABEL = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"(?P<value>(?:[^"\\]|\\.)*)"')
GROUPING = re.compile(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)")

# One event of each kind, so that each counter and histogram has all its labels.
EVENTS: list[tuple[tuple[str, ...], dict[str, Any], dict[str, Any]]] = [
    (("transition",), {}, {"previous": "pending", "state": "mined"}),
    (("block", "applied"), {"seconds": 1.0, "hits": 1, "requests": 1}, {}),
    (("transaction", "detected"), {"seconds": 1.0}, {}),
    (("reorg",), {"depth": 3}, {}),
    (("unreadable",), {"count": 1}, {"kind": "block"}),
    (("sweep",), {"asked": 1, "age_seconds": 1.0}, {}),
    (("deposits",), {"tracked": 1, "below_minimum": 1}, {}),
    (("store", "commit"), {"seconds": 1.0}, {}),
    (("provider", "request"), {"duration_seconds": 1.0}, {"provider": "a-1", "outcome": "ok"}),
    (("webhook", "attempt"), {}, {"outcome": "delivered"}),
    (("http", "request"), {"seconds": 1.0}, {"method": "GET", "route": "/", "status": 500}),
    (("alert", "raised"), {}, {"kind": "disk.low"}),
]


def known() -> dict[str, dict[str, set[str]]]:
    """Return the labels of each sample on a metrics page that has all metrics, with the values."""
    metrics, labelled = Metrics(runtime=False), Metrics(runtime=False, sources={"a": "main"})
    metrics.attach()
    labelled.attach()
    try:
        for event, numbers, facts in EVENTS:
            telemetry.execute(("transaction_tracker", *event), numbers, facts | {"source": "a"})
    finally:
        metrics.detach()
        labelled.detach()
    maps = ("tracked", "alerts", "sources", "lease")
    numbers = {one.name: 1 for one in fields(Gauges) if one.name not in maps}
    lease = LeaseGauges(**{one.name: 1 for one in fields(LeaseGauges)})
    one_source = Gauges({"pending": 1}, {}, **numbers, lease=lease)
    of_source = {one.name: 1 for one in fields(SourceGauges) if one.name not in maps}
    several = Gauges(sources={"main": SourceGauges({"pending": 1}, **of_source)})
    found: dict[str, dict[str, set[str]]] = {}
    pages = (metrics.render(one_source), labelled.render(several), router_page())
    for page in map(bytes.decode, pages):
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                labels = found.setdefault(sample.name, {})
                for label, value in sample.labels.items():
                    labels.setdefault(label, set()).add(value)
    return found


def router_page() -> bytes:
    """Return the page of a router with one shard."""
    shard: Any = SimpleNamespace(number=0, is_up=True, is_ready=True, failures=0, moves=0)
    return RouterMetrics(Shards([shard], ShardMap((1,)))).render()


KNOWN = known()


def rules() -> list[dict[str, Any]]:
    return [rule for group in RULES["groups"] for rule in group["rules"]]


def expressions() -> list[str]:
    """Return all expressions of the rules and the dashboard."""
    targets = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    return [rule["expr"] for rule in rules()] + targets


def problems(expression: str) -> list[str]:
    """Return the names, labels and values in an expression that no metrics page has."""
    names = set(NAME.findall(expression))
    found = [f"unknown metric {name}" for name in names - KNOWN.keys() - UP.keys()]
    labels = {label for name in names for label in (*KNOWN.get(name, ()), *TARGET_LABELS)}
    for match in SELECTOR.finditer(expression):
        own = KNOWN.get(match["name"], {})
        for label in LABEL.finditer(match["labels"]):
            if label[1] not in {*own, *TARGET_LABELS}:
                found.append(f"unknown label {label[1]} of {match['name']}")
            elif label[1] in ("severity", "le") and label["value"] not in own[label[1]]:
                found.append(f"unknown value {label['value']} of {label[1]}")
    grouped = {
        name.strip() for names in GROUPING.findall(expression) for name in names.split(",") if name
    }
    return found + [f"unknown label {name} in {expression}" for name in grouped - labels]


def test_expressions_use_only_metrics_labels_and_values_that_exist() -> None:
    assert len(expressions()) >= 30
    assert [problem for expression in expressions() for problem in problems(expression)] == []


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("transaction_tracker_alerts > 0", "unknown metric transaction_tracker_alerts"),
        ('transaction_tracker_alerts_active{sort="x"}', "unknown label sort of"),
        ('transaction_tracker_alerts_active{severity="bad"}', "unknown value bad of severity"),
        ('transaction_tracker_reorg_depth_blocks_bucket{le="7.0"}', "unknown value 7.0 of le"),
        ("sum by (provider) (transaction_tracker_parked)", "unknown label provider in"),
    ],
)
def test_wrong_expressions_are_noticed(expression: str, expected: str) -> None:
    (found,) = problems(expression)

    assert expected in found


def test_each_rule_says_what_happened_and_what_to_do() -> None:
    names = [rule["alert"] for rule in rules()]

    assert len(names) == len(set(names)) >= 8
    for rule in rules():
        assert rule["labels"]["severity"] in SEVERITIES
        assert rule["annotations"]["summary"].endswith(("at {{ $labels.instance }}", "."))
        assert rule["annotations"]["description"].endswith(".")
        assert (ROOT / rule["annotations"]["runbook"]).exists()
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}


def test_rules_report_every_alert_of_the_service() -> None:
    values = KNOWN["transaction_tracker_alerts_active"]
    text = " ".join(rule["expr"] for rule in rules())

    assert values == {"kind": set(ALERT_KINDS), "severity": set(SEVERITIES)}
    assert all(f'alerts_active{{severity="{severity}"}}' in text for severity in SEVERITIES)


def test_rules_about_owners_look_at_each_job_by_itself() -> None:
    standby = [rule["expr"] for rule in rules() if "lease" in rule["expr"]]

    assert len(standby) == 4
    for expression in standby:
        sums = re.findall(r"\b(?:sum|count|max|min)\b(?: by \((\w+)\))?", expression)
        assert set(sums) <= {"job"}, expression
        assert "on ()" not in expression


def test_brackets_of_expressions_match() -> None:
    for expression in expressions():
        for opening, closing in ("()", "{}", "[]"):
            assert expression.count(opening) == expression.count(closing), expression


def test_panels_do_not_overlap_and_have_ids_of_their_own() -> None:
    panels = DASHBOARD["panels"]
    cells = [
        (x, y)
        for panel in panels
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in panels}) == len(panels) >= 15
    assert all(panel["title"] and panel["targets"] for panel in panels)


def test_dashboard_uses_its_variables_only() -> None:
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    text = (ROOT / "deploy" / "grafana-dashboard.json").read_text()

    used = set(re.findall(r"\$\{?(\w+)\}?", text)) - {"__rate_interval"}
    assert used == variables == {"datasource", "instance"}
