"""The checks of ``txtrack doctor``, and their results."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Attributes:
        severity: ``"error"`` if the service cannot work; ``"warning"`` if it works with a risk.
        subject: Checked thing, such as ``provider https://host``.
        message: State of the subject.
        why: Effect of the problem; empty for ``"ok"``.
        fix: How to fix the problem; empty for ``"ok"``.
    """

    severity: Severity
    subject: str
    message: str
    why: str = ""
    fix: str = ""


def fine(subject: str, message: str) -> Finding:
    """Return a finding without a problem."""
    return Finding("ok", subject, message)


def warning(subject: str, message: str, *, why: str, fix: str) -> Finding:
    """Return a finding with a possible problem."""
    return Finding("warning", subject, message, why, fix)


def error(subject: str, message: str, *, why: str, fix: str) -> Finding:
    """Return a finding with a problem."""
    return Finding("error", subject, message, why, fix)
