"""``txtrack doctor``: report each problem with its effect and its fix."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import TypeVar

from rich.text import Text
from sqlalchemy import Connection

from transaction_tracker.cli import output
from transaction_tracker.cli.checks import database, endpoints, files, http, providers, web
from transaction_tracker.cli.checks.finding import Finding, Severity, error
from transaction_tracker.cli.exits import OK, TROUBLE, BadInputError, CommandError
from transaction_tracker.cli.flags import ConfigurationFlags, Json
from transaction_tracker.cli.guest import in_database
from transaction_tracker.cli.secrets import Redact, redactors
from transaction_tracker.cli.text import printable
from transaction_tracker.settings import Configuration, ConfigurationError
from transaction_tracker.settings.convert import web_options
from transaction_tracker.settings.layers import chosen_file
from transaction_tracker.store.access import has_usable_token
from transaction_tracker.store.endpoints import load_all
from transaction_tracker.store.pages import transactions_page
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
    flags: ConfigurationFlags | None = None,
    as_json: Json = False,
) -> int:
    """Check everything that the service needs, and explain each problem.

    Checks the configuration, the chain and the head of each provider (or one transaction at the
    service over HTTP), the database, the address of the API and the webhook endpoints. The command
    changes nothing; it can run while the service runs.

    Exit status: 0 without errors, even with warnings; 1 with errors; 2 for bad input.

    Args:
        transaction: Id that the service over HTTP knows, to look it up. Default: an id from the
            database, or a made-up one.
        as_json: Print one JSON line per finding.
    """
    given = flags or ConfigurationFlags()
    try:
        configuration = given.read()
    except ConfigurationError as caught:
        found = [_misconfigured(problem.where, str(problem)) for problem in caught.problems]
    else:
        found = await examine(configuration, transaction)
        found += files.check(configuration, chosen_file(given.config))
    _show(found, as_json=as_json)
    return TROUBLE if any(finding.severity == "error" for finding in found) else OK


async def examine(configuration: Configuration, transaction: str | None = None) -> list[Finding]:
    """Check everything in a configuration.

    Args:
        configuration: Valid configuration.
        transaction: Id to look up at the service over HTTP.
    """
    url, options = configuration.database.url, web_options(configuration)
    service = await web.running(options)
    has_token = bool(_read(url, has_usable_token))
    known = _read(url, load_all) or []
    return [
        *await _source(configuration, transaction),
        *database.check(url, service_runs=service.ready is not None),
        *web.check(options, service, has_token=has_token),
        *await endpoints.check(known, configuration.webhooks.allow_private),
    ]


async def _source(configuration: Configuration, transaction: str | None) -> list[Finding]:
    section = configuration.http
    if section is None:
        if transaction is not None:
            raise BadInputError('--transaction requires source.type = "http"')
        return await providers.check(configuration)
    if transaction is None:
        page = _read(configuration.database.url, partial(transactions_page, after=None, limit=1))
        transaction = page[0].tracked.id if page else None
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


def _show(found: Sequence[Finding], *, as_json: bool) -> None:
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
