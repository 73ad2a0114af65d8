"""Report the active alerts of the running service."""

from collections.abc import Sequence

from transaction_tracker.cli.checks import Finding, error, warning
from transaction_tracker.domain.alert import Alert

MAX_SHOWN = 20


def check(active: Sequence[Alert]) -> list[Finding]:
    """Return a finding for each active alert, and one that counts those beyond ``MAX_SHOWN``.

    Args:
        active: The active alerts in the database of a running service.
    """
    found = [_finding(alert) for alert in active[:MAX_SHOWN]]
    if len(active) > MAX_SHOWN:
        more = f"{len(active) - MAX_SHOWN:,} more alerts are active"
        found.append(warning("alerts", more, why=_WHY, fix="txtrack alerts --active"))
    return found


_WHY = "the service observes this fault, or has observed it a moment ago"


def _finding(alert: Alert) -> Finding:
    report = error if alert.severity == "critical" else warning
    subject = f"alert {alert.kind} of {alert.subject}"
    return report(
        subject, alert.text, why=_WHY, fix="do what it says; txtrack alerts shows its end"
    )
