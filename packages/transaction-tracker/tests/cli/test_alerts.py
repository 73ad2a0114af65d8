"""``txtrack alerts``, the alerts of endpoints, and the alerts that ``doctor`` reports."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from beamish import process
from transaction_tracker import TransactionTracker
from transaction_tracker.alerts import AlertOptions, names
from transaction_tracker.api import WEB, Web, WebOptions
from transaction_tracker.cli.checks import alerts as check
from transaction_tracker.domain.alert import ALERT_KINDS, Alert
from transaction_tracker.service import Settings, TransactionTrackerApplication
from transaction_tracker.store import Store
from txtrack_devnode import DevelopmentNode

from .conftest import Command

URL = "http://127.0.0.1:9/hook"


@pytest.fixture
async def alerting(
    node: DevelopmentNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[str]:
    """A service at a fixed port with one parked transaction; yields the transaction."""
    settings = Settings(
        node.url,
        confirmations=2,
        database=tmp_path / "service.db",
        poll_interval=0.02,
        web=WebOptions(port=0),
        allow_private=("127.0.0.0/8",),
        alerts=AlertOptions(clear_after=0),
    )
    application = TransactionTrackerApplication(settings)
    async with application:
        url = await Web.url(WEB)
        monkeypatch.setenv("TXTRACK_URL", url)
        monkeypatch.setenv("TXTRACK_WEB__PORT", url.rpartition(":")[2])
        monkeypatch.setenv("TXTRACK_DATABASE__URL", str(tmp_path / "service.db"))
        monkeypatch.setenv("TXTRACK_PROVIDERS__0__URL", node.url)
        key = f"0x{'1' * 64}"  # the node does not know it, so that it stays open
        await TransactionTracker.start(key)
        await TransactionTracker.wait(key, until="missing")
        Store.park(key, "poison")
        await change(application, "raised")
        yield key


async def change(application: TransactionTrackerApplication, change: str) -> None:
    """Have the faults evaluated until an alert has changed and is stored."""
    board = application._alerts
    async with asyncio.timeout(50):
        while not any(alert.change == change for alert in (*board.active, *board.cleared)):
            names.evaluate()
            await asyncio.sleep(0.01)
        while board.has_changes:
            process.send(names.KEEPER, names.SyncAlerts())
            await asyncio.sleep(0.01)


async def test_active_alerts_are_listed_with_exit_status_1(alerting: str, command: Command) -> None:
    table = await command("alerts", "--no-header")
    lines = await command("alerts", "--active", "--kind", "tracker.parked", "--json")

    row = table.out.rstrip("\n").split("\t")
    assert (table.status, lines.status) == (1, 1)
    assert row[1:4] == ["tracker.parked", "warning", alerting]
    assert "poison" in row[-1]
    (alert,) = lines.documents
    assert (alert["id"], alert["subject"], alert["cleared_at"]) == (row[0], alerting, None)


async def test_without_active_alerts_the_exit_status_is_0(alerting: str, command: Command) -> None:
    ran = await command("alerts", "--kind", "disk.low", "--no-header")

    assert (ran.status, ran.out) == (0, "")


async def test_doctor_reports_the_active_alerts_of_a_running_service(
    alerting: str, command: Command
) -> None:
    ran = await command("doctor", "--json")

    (found,) = [one for one in ran.documents if one["subject"].startswith("alert ")]
    assert found["subject"] == f"alert tracker.parked of {alerting}"
    assert found["severity"] == "warning"
    assert "poison" in found["message"]
    assert found["fix"]


@pytest.mark.parametrize("flag", ["config", "text"])
async def test_unknown_kind_is_bad_input(alerting: str, command: Command, flag: str) -> None:
    ran = await command("alerts", "--kind", flag)

    assert ran.status == 2


async def test_endpoint_receives_the_chosen_alerts(alerting: str, command: Command) -> None:
    kinds = ("--alert", "source.halted", "--alert", "disk.low")
    made = json.loads((await command("webhook", "add", URL, "--json", *kinds)).out)
    assert (made["states"], made["alerts"]) == (None, ["source.halted", "disk.low"])

    changed = await command("webhook", "alerts", made["id"], "all", "--json")
    assert json.loads(changed.out)["alerts"] == list(ALERT_KINDS)

    for wrong in ((), ("none", "disk.low"), ("disk",)):
        assert (await command("webhook", "alerts", made["id"], *wrong)).status == 2
    none = await command("webhook", "alerts", made["id"], "none")
    assert none.status == 0
    shown = await command("webhook", "get", made["id"])
    assert [line.split() for line in shown.out.splitlines() if "alerts" in line] == [
        ["alerts", "none"]
    ]


async def test_endpoint_can_receive_only_alerts(alerting: str, command: Command) -> None:
    made = await command("webhook", "add", URL, "--alert", "all", "--alerts-only")

    assert made.status == 0
    assert "Future alerts are delivered" in made.err
    listed = await command("webhook", "ls", "--json")
    assert [(one["states"], one["alerts"]) for one in listed.documents] == [([], list(ALERT_KINDS))]


async def test_endpoint_must_receive_something(alerting: str, command: Command) -> None:
    ran = await command("webhook", "add", URL, "--alerts-only")

    assert ran.status == 2
    assert "states must be some of" in ran.err


def test_critical_alerts_are_errors_and_many_are_counted() -> None:
    alerts = [
        Alert(f"al_{number}", "provider.down", f"p-{number}", "critical", "it is down", 0.0, 0.0)
        for number in range(check.MAX_SHOWN + 2)
    ]

    found = check.check(alerts)

    assert len(found) == check.MAX_SHOWN + 1
    assert {finding.severity for finding in found[:-1]} == {"error"}
    assert (found[-1].severity, found[-1].message) == ("warning", "2 more alerts are active")
