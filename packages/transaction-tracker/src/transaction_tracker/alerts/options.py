"""Options of the alerts: which are raised, and when."""

from collections.abc import Iterator
from typing import Annotated

from pydantic_settings import NoDecode

from transaction_tracker.delivery.health import (
    BEHIND_SECONDS,
    FAILING_THRESHOLD,
    STALLED_SECONDS,
    FlowLimits,
)
from transaction_tracker.domain.alert import ALERT_KINDS, AlertKind
from transaction_tracker.domain.duration import SECONDS
from transaction_tracker.options import Section, number, option
from transaction_tracker.options.values import Seconds, comma_separated

_MAX_SECONDS = 86_400


class AlertOptions(Section):
    """Alerts about the service: which are raised, and when."""

    kinds: Annotated[tuple[AlertKind, ...], NoDecode, comma_separated] = option(
        ALERT_KINDS,
        f"a list of {', '.join(ALERT_KINDS)}",
        "Kinds of alerts that are raised. The endpoints of an alert choose among them.",
    )
    clear_after: Seconds = option(
        60.0,
        f"0 to 1d: {SECONDS}",
        "Time for which a fault must be gone before its alert is cleared, so that a fault that "
        "comes and goes is reported once.",
        ge=0,
        le=_MAX_SECONDS,
    )
    provider_down: Seconds = option(
        60.0,
        f"0 to 1d: {SECONDS}",
        "Time for which a provider must be unusable before provider.down is raised.",
        ge=0,
        le=_MAX_SECONDS,
    )
    head_lag_blocks: int = number(
        64,
        1,
        1_000_000,
        "Number of blocks between the last applied block and the head above which source.lagging "
        "is raised, if it lasts for five block times and at least 60 s.",
    )
    outbox_warning: Seconds = option(
        BEHIND_SECONDS,
        f"over 0, up to 1d: {SECONDS}",
        "Age of the oldest pending delivery at which outbox.stalled is raised as a warning; also "
        "the time without an answer of the database.",
        gt=0,
        le=_MAX_SECONDS,
    )
    outbox_critical: Seconds = option(
        STALLED_SECONDS,
        f"over 0, up to 1d: {SECONDS}",
        "The same for a critical alert.",
        gt=0,
        le=_MAX_SECONDS,
    )
    endpoint_failures: int = number(
        FAILING_THRESHOLD,
        1,
        1_000,
        "Number of failed attempts in a row after which a webhook endpoint is failing.",
    )
    disk_free_percent: float = option(
        10.0,
        "a percentage, 0 to 90",
        "Free part of the file system of an SQLite database below which disk.low is raised; it is "
        "critical below a fifth of that. 0 never raises it.",
        ge=0,
        le=90,
        allow_inf_nan=False,
    )

    @property
    def flow_limits(self) -> FlowLimits:
        """When deliveries are late, for alerts and all other reports."""
        return FlowLimits(self.outbox_warning, self.outbox_critical)

    def conflicts(self, table: str = "") -> Iterator[tuple[str, str]]:
        """Yield ``outbox_critical`` if it is below ``outbox_warning``."""
        if self.outbox_critical < self.outbox_warning:
            yield (
                "outbox_critical",
                f"must be {table}outbox_warning ({self.outbox_warning:g} s) or more, got "
                f"{self.outbox_critical:g} s",
            )
