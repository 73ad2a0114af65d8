"""What a check found."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        severity: ``"error"`` when the service cannot do its work so.
        about: What was looked at, such as ``provider https://host``.
        what: What is the case.
        why: Why it matters; empty when all is well.
        do: What to do about it; empty when all is well.
    """

    severity: Severity
    about: str
    what: str
    why: str = ""
    do: str = ""


def fine(about: str, what: str) -> Finding:
    """Say that all is well."""
    return Finding("ok", about, what)


def warning(about: str, what: str, *, why: str, do: str) -> Finding:
    """Say what may become a trouble."""
    return Finding("warning", about, what, why, do)


def error(about: str, what: str, *, why: str, do: str) -> Finding:
    """Say what is wrong."""
    return Finding("error", about, what, why, do)
