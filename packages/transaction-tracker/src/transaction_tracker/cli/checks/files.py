"""Check whether other users can read the secrets in the configuration file."""

import stat
from pathlib import Path

from transaction_tracker.cli.checks.finding import Finding, warning
from transaction_tracker.cli.secrets import redactors
from transaction_tracker.settings import Configuration


def check(configuration: Configuration, file: Path | None) -> list[Finding]:
    """Check the permissions of the file, if it contains secrets."""
    if file is None or not _is_open(file) or not _has_secret(configuration, file):
        return []
    return [
        warning(
            f"file {file}",
            "other users of this machine can read it, and it contains a key or a password",
            why="they can send requests to the source in your name and at your cost",
            fix=f"chmod 600 {file}, or move the secret to an environment variable such as "
            f"{_variable(configuration)}",
        )
    ]


def _variable(configuration: Configuration) -> str:
    over_http = configuration.http is not None
    return "TXTRACK_HTTP__HEADERS__AUTHORIZATION" if over_http else "TXTRACK_PROVIDERS__0__URL"


def _is_open(file: Path) -> bool:
    return bool(file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))


def _has_secret(configuration: Configuration, file: Path) -> bool:
    text = file.read_text(errors="replace")
    return any(redact(text) != text for redact in redactors(configuration))
