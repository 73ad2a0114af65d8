"""``txtrack doctor``: what is wrong, why it matters, and what to do."""

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
    "error": ("WRONG", "red"),
}

T = TypeVar("T")


async def doctor(
    *,
    transaction: str | None = None,
    flags: ConfigurationFlags | None = None,
    as_json: Json = False,
) -> int:
    """Look at everything that the service needs, and explain what is wrong.

    It reads the configuration, asks each provider who it is and where its head is, or a service
    over HTTP about one transaction, looks at the database, at the address of the API and at the
    endpoints of webhooks. It changes nothing, and may be run while the service runs.

    Exit status: 0 if nothing is wrong, even if there are warnings; 1 if something is; 2 for bad
    input.

    Args:
        transaction: An id that a service over HTTP knows, to ask it about; without it, one of the
            database, or one that nobody has.
        as_json: Print a JSON line for each finding.
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
    return TROUBLE if any(one.severity == "error" for one in found) else OK


async def examine(configuration: Configuration, transaction: str | None = None) -> list[Finding]:
    """Look at everything that a configuration names.

    Args:
        configuration: What was read.
        transaction: An id that a service over HTTP can be asked about.
    """
    url, options = configuration.database.url, web_options(configuration)
    service = await web.running(options)
    has_token = bool(_asked(url, has_usable_token))
    known = _asked(url, load_all) or []
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
            raise BadInputError('--transaction is for source.type = "http"')
        return await providers.check(configuration)
    if transaction is None:
        one = _asked(configuration.database.url, partial(transactions_page, after=None, limit=1))
        transaction = one[0].tracked.id if one else None
    found = await http.check(section, transaction)
    return [_redacted(one, redactors(configuration)) for one in found]


def _redacted(one: Finding, secrets: Sequence[Redact]) -> Finding:
    """Take the secrets out: a service may say again what it was asked with."""
    what = one.what
    for redact in secrets:
        what = redact(what)
    return replace(one, what=what)


def _asked(url: DatabaseUrl, work: Callable[[Connection], T]) -> T | None:
    """Read from the database, if it can be; why it cannot be, its own check says."""
    if not database.is_there(url):
        return None
    try:
        return in_database(url, work)
    except CommandError:
        return None


def _misconfigured(where: str, what: str) -> Finding:
    return error(
        "configuration",
        what,
        why="the service does not start with it",
        do=f"correct it in {where}" if where else "correct it",
    )


def _show(found: Sequence[Finding], *, as_json: bool) -> None:
    if as_json:
        for one in found:
            output.write_json(asdict(one))
        return
    console = output.console()
    for one in found:
        mark, style = _MARKS[one.severity]
        line = Text(f"{mark:<8}", style)
        line.append(printable(f"{one.about}: {one.what}"), "none")
        console.print(line)
        if one.why:
            console.print(Text(f"        why: {printable(one.why)}", "dim"))
            console.print(Text(f"        do:  {printable(one.do)}"))
    wrong = sum(one.severity == "error" for one in found)
    warnings = sum(one.severity == "warning" for one in found)
    output.say(f"{wrong} wrong, {warnings} to look at, {len(found) - wrong - warnings} fine")
