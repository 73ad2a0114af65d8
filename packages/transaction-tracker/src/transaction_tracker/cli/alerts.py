"""``txtrack alerts``: list the alerts of a running service."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from cyclopts import Parameter

from transaction_tracker.cli import output
from transaction_tracker.cli.exits import OK, TROUBLE
from transaction_tracker.cli.flags import CONFIGURED, NoHeader, ServiceFlags, WholeNumber
from transaction_tracker.domain.alert import AlertKind

_COLUMNS = ("alert", "kind", "severity", "subject", "since", "cleared", "text")


async def alerts(
    *,
    active: Annotated[bool, Parameter(negative=())] = False,
    kind: Annotated[tuple[AlertKind, ...], Parameter(negative_iterable=())] = (),
    limit: WholeNumber = 100,
    no_header: NoHeader = False,
    service: ServiceFlags = CONFIGURED,
) -> int:
    """List the alerts about the service: active ones first, then the last cleared ones.

    An alert has a fault and what to do. To receive alerts as webhooks, add an endpoint with
    `txtrack webhook add URL --alert KIND`.

    Exit status: 0 if no listed alert is active; 1 if one is, or if the service refuses; 2 for bad
    input, 6 if no service responds.

    Args:
        active: List only active alerts.
        kind: List only alerts of this kind; can be repeated. Default: all.
        limit: Maximum number of alerts.
    """
    only = "true" if active else None
    async with service.api() as api:
        found = (await api.get("v1/alerts", active=only, kind=kind, limit=limit))["alerts"]
    output.items(found, _COLUMNS, _row, as_json=service.as_json, header=not no_header)
    return TROUBLE if any(alert["cleared_at"] is None for alert in found) else OK


def _row(alert: Mapping[str, Any]) -> Sequence[object]:
    place = alert["id"], alert["kind"], alert["severity"], alert["subject"]
    return [*place, alert["since"], alert["cleared_at"], alert["text"]]
