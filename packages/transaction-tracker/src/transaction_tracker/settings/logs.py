"""The options of the log of a command; not of the service, which only writes to it."""

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
