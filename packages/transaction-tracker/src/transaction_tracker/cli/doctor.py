"""``txtrack doctor``: report each problem with its effect and its fix."""

import stat
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from rich.text import Text
from sqlalchemy import Connection

from transaction_tracker.cli import output
from transaction_tracker.cli.checks import (
    Finding,
    Severity,
    alerts,
    database,
    error,
    http,
    providers,
    warning,
    web,
)
from transaction_tracker.cli.database import in_database
from transaction_tracker.cli.exits import OK, TROUBLE, BadInputError, CommandError
from transaction_tracker.cli.flags import NO_FLAGS, ConfigurationFlags, Json
from transaction_tracker.cli.logs import Redact, redactors
from transaction_tracker.cli.output import printable
from transaction_tracker.settings import Configuration, ConfigurationError
from transaction_tracker.settings.convert import web_options
from transaction_tracker.settings.layers import chosen_file
from transaction_tracker.store.access import has_usable_token
from transaction_tracker.store.alerts import load_active
from transaction_tracker.store.endpoints import load_all
from transaction_tracker.store.listing import id_page
from transaction_tracker.store.url import DatabaseUrl

_MARKS: dict[Severity, tuple[str, str]] = {
    "ok": ("ok", "green"),
    "warning": ("warning", "yellow"),
    "error": ("ERROR", "red"),
}

T = TypeVar("T")


async def doctor(
    *,
    transaction: str | None = None,
    flags: ConfigurationFlags = NO_FLAGS,
    as_json: Json = False,
) -> int:
    """Check everything that the service needs, and explain each problem.

    Checks the configuration, the chain and the head of each provider (or one transaction at the
    service over HTTP), the database, the address of the API and the webhook endpoints; shows the
    active alerts of a running service. The command changes nothing; it can run while the service
    runs.

    Exit status: 0 without errors, even with warnings; 1 with errors; 2 for bad input.

    Args:
        transaction: Id that the service over HTTP knows, to look it up. Default: an id from the
            database, or a made-up one.
        as_json: Print one JSON line per finding.
    """
    try:
        configuration = flags.read()
    except ConfigurationError as caught:
        found = [_misconfigured(problem.where, str(problem)) for problem in caught.problems]
    else:
        found = await examine(configuration, transaction)
        found += check_file(configuration, chosen_file(flags.config))
    show(found, as_json=as_json)
    return TROUBLE if any(finding.severity == "error" for finding in found) else OK


async def examine(configuration: Configuration, transaction: str | None = None) -> list[Finding]:
    """Check everything in a configuration.

    Args:
        configuration: Valid configuration.
        transaction: Id to look up at the service over HTTP.
    """
    url, options = configuration.database_url, web_options(configuration)
    service = await web.running(options)
    has_token = bool(_read(url, has_usable_token))
    known = _read(url, load_all) or []
    # The alerts of a service that does not run are those of its last run.
    active = [] if service.ready is None else _read(url, load_active) or []
    return [
        *await _sources(configuration, transaction),
        *database.check(url, service_runs=service.ready is not None),
        *web.check(options, service, has_token=has_token),
        *alerts.check(active),
        *await web.check_endpoints(known, configuration.webhooks.allow_private),
    ]


async def _sources(configuration: Configuration, transaction: str | None) -> list[Finding]:
    """Check each source; with several, their names are part of the subjects."""
    parts = configuration.parts()
    if None in parts:
        return await _source(configuration, transaction)
    if transaction is not None:
        raise BadInputError("--transaction requires a single source")
    return [finding for name, part in parts.items() for finding in await check_source(name, part)]


async def check_source(name: str | None, part: Configuration) -> list[Finding]:
    """Check one source.

    Args:
        name: Its name, part of the subjects; ``None`` for the only source.
        part: The configuration as if it were the only source.
    """
    found = await _source(part, None)
    if name is None:
        return found
    return [replace(finding, subject=f"{name}: {finding.subject}") for finding in found]


async def _source(configuration: Configuration, transaction: str | None) -> list[Finding]:
    section = configuration.http
    if section is None:
        if transaction is not None:
            raise BadInputError('--transaction requires source.type = "http"')
        return await providers.check(configuration)
    if transaction is None:
        page = _read(configuration.database_url, partial(id_page, after=None, limit=100))
        own = f"http:{section.name}"
        ids = (kept.tracked.id for kept in page or () if kept.tracked.source in (own, ""))
        transaction = next(ids, None)
    found = await http.check(section, transaction)
    return [_redacted(finding, redactors(configuration)) for finding in found]


def _redacted(finding: Finding, secrets: Sequence[Redact]) -> Finding:
    """Remove secrets from the message, since a service can repeat parts of the request."""
    message = finding.message
    for redact in secrets:
        message = redact(message)
    return replace(finding, message=message)


def _read(url: DatabaseUrl, work: Callable[[Connection], T]) -> T | None:
    """Read from the database; return ``None`` if that fails, which the database check reports."""
    if not database.is_there(url):
        return None
    try:
        return in_database(url, work)
    except CommandError:
        return None


def _misconfigured(where: str, message: str) -> Finding:
    return error(
        "configuration",
        message,
        why="the service does not start with an invalid configuration",
        fix=f"correct it in {where}" if where else "correct it",
    )


def show(found: Sequence[Finding], *, as_json: bool) -> None:
    """Print findings."""
    if as_json:
        for finding in found:
            output.write_json(asdict(finding))
        return
    console = output.console()
    for finding in found:
        mark, style = _MARKS[finding.severity]
        line = Text(f"{mark:<8}", style)
        line.append(printable(f"{finding.subject}: {finding.message}"), "none")
        console.print(line)
        if finding.why:
            console.print(Text(f"        why: {printable(finding.why)}", "dim"))
            console.print(Text(f"        fix: {printable(finding.fix)}"))
    errors = sum(finding.severity == "error" for finding in found)
    warnings = sum(finding.severity == "warning" for finding in found)
    output.say(f"{errors} errors, {warnings} warnings, {len(found) - errors - warnings} ok")


def check_file(configuration: Configuration, file: Path | None) -> list[Finding]:
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
    if configuration.sources:
        return "TXTRACK_SOURCES__0__PROVIDERS__0__URL"
    over_http = configuration.http is not None
    return "TXTRACK_HTTP__HEADERS__AUTHORIZATION" if over_http else "TXTRACK_PROVIDERS__0__URL"


def _is_open(file: Path) -> bool:
    return bool(file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))


def _has_secret(configuration: Configuration, file: Path) -> bool:
    text = file.read_text(errors="replace")
    return any(redact(text) != text for redact in redactors(configuration))
