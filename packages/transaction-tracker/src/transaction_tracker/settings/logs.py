"""Sections of the configuration for the commands, not for the service."""

from typing import Literal

from transaction_tracker.options import Section, option


class LogsSection(Section):
    """The log of the service, on standard error."""

    format: Literal["json", "text"] = option(
        "text", '"json" or "text"', "Format: one JSON object per line, or text for people."
    )
    level: Literal["debug", "info", "warning", "error"] = option(
        "info", '"debug", "info", "warning" or "error"', "Lowest level that is logged."
    )
