"""The message about an alert, and the shape of JSON that it shares with the API."""

from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import Field, WithJsonSchema

from transaction_tracker.delivery.payload import message, timestamp
from transaction_tracker.domain.alert import Alert, AlertKind, AlertSeverity

# Version of the message's fields. A field can be added to a version, never removed or changed.
SCHEMA = 1

_Time = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]


@dataclass(kw_only=True)
class AlertView:
    """An alert, as it was reported last."""

    id: Annotated[str, Field(description="Id of the alert, which never changes.")]
    kind: Annotated[AlertKind, Field(description="Kind of the fault.")]
    subject: Annotated[
        str,
        Field(
            description="The source, provider, endpoint or transaction at fault; or outbox, "
            "database, disk or trackers."
        ),
    ]
    severity: Annotated[
        AlertSeverity,
        Field(
            description="How severe the fault is now; of a cleared alert, how severe it was last."
        ),
    ]
    text: Annotated[str, Field(description="The fault, and what to do.")]
    since: Annotated[_Time, Field(description="Start of the fault.")]
    raised_at: Annotated[
        _Time,
        Field(
            description="Time when the alert was raised; after `since`, because short faults raise "
            "none."
        ),
    ]
    cleared_at: Annotated[_Time | None, Field(description="Null while the alert is active.")]
    version: Annotated[
        int, Field(description="1 when it is raised; each change of severity and its end adds 1.")
    ]

    @classmethod
    def of(cls, alert: Alert, **more: Any) -> Self:
        """Return the shape of an alert; ``more`` has further fields of a subclass."""
        return cls(
            id=alert.id,
            kind=alert.kind,
            subject=alert.subject,
            severity=alert.severity,
            text=alert.text,
            since=timestamp(alert.since),
            raised_at=timestamp(alert.raised_at),
            cleared_at=None if alert.cleared_at is None else timestamp(alert.cleared_at),
            version=alert.version,
            **more,
        )


@dataclass(kw_only=True)
class AlertData(AlertView):
    """The ``data`` of the message about an alert."""

    schema: int = SCHEMA


def body(alert: Alert, now: float) -> bytes:
    """Return the message about the last change of an alert, as JSON.

    ``type`` is ``alert.raised``, ``alert.changed`` or ``alert.cleared``; ``timestamp`` is the time
    of the change; ``data`` is an `AlertData`.

    Args:
        alert: The alert.
        now: Time of the change, in Unix seconds.
    """
    return message(f"alert.{alert.change}", now, AlertData.of(alert))
