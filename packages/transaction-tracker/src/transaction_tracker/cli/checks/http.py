"""Check whether a service over HTTP responds with known statuses."""

import logging
from collections.abc import Iterator

from yarl import URL

from transaction_tracker.cli.checks import Finding, error, fine, warning
from transaction_tracker.domain import InvalidTransactionError
from transaction_tracker.net import AllowList, CheckedClient, ForbiddenAddressError
from transaction_tracker.sources import (
    ApplicationError,
    MalformedError,
    NotYetError,
    RateLimitedError,
    ServerError,
    SourceError,
)
from transaction_tracker.sources.http_polling import HttpPollingSource, HttpSection

# Looked up if no transaction is known: the first one that matches the pattern. A look-up changes
# nothing, so no harm is done if such a transaction exists.
_MADE_UP_IDS = ("txtrack-doctor", "TXTRACKDOCTOR", "0", "00000000-0000-0000-0000-000000000000")
_WHY = "without its responses, no transaction can change its state"
_MADE_UP_NOTE = " (a made-up id; for a complete check, use --transaction ID)"
_LOCAL = ("127.0.0.1", "::1", "localhost")

# The source logs its errors here.
logger: logging.Logger = logging.getLogger("transaction_tracker")


async def check(section: HttpSection, transaction: str | None) -> list[Finding]:
    """Look up one transaction, and read a page of the feed.

    Args:
        section: Configuration of the service.
        transaction: Id that the service knows; without it, the check is less complete.
    """
    found = [*_unencrypted(section), *_unwatched(section), *await _forbidden(section)]
    if any(finding.severity == "error" for finding in found):
        return found
    source = HttpPollingSource.of(section)
    # The findings contain what the source would log.
    logger.addFilter(_drop)
    try:
        look_up = await _look_up(section, source, transaction)
        return [*found, *look_up, *await _feed(section, source)]
    finally:
        logger.removeFilter(_drop)
        await source.close()


def _drop(_record: logging.LogRecord) -> bool:
    return False


async def _forbidden(section: HttpSection) -> list[Finding]:
    """Check the addresses of host names; literal addresses were checked with the options."""
    client = CheckedClient(AllowList.of(section.allow_private))
    found = []
    for option, placeholder, url in section.addresses():
        try:
            await client.check(url.reveal().replace(placeholder, "1"))
        except ForbiddenAddressError as caught:
            found.append(_refused(f"http.{option}", caught))
    await client.close()
    return found


def _refused(option: str, caught: ForbiddenAddressError) -> Finding:
    return error(
        option,
        f"URL refused: {caught}",
        why="the service sends no requests to this URL",
        fix="if the host is yours and private on purpose, add its network to "
        "http.allow_private; otherwise correct the host's name",
    )


async def _look_up(
    section: HttpSection, source: HttpPollingSource, transaction: str | None
) -> list[Finding]:
    subject = f"source {section.model_dump()['url']}"
    key = transaction or _made_up_id(source)
    if key is None:
        message = "not checked: no id is known, and no made-up id matches http.id_pattern"
        fix = "pass an id that the service knows: --transaction ID"
        return [warning(subject, message, why=_WHY, fix=fix)]
    try:
        source.identify(key)
    except InvalidTransactionError as caught:
        why = "a transaction with such an id cannot be tracked"
        fix = "correct http.id_pattern or the id"
        return [error("http.id_pattern", str(caught), why=why, fix=fix)]
    reply = (await source.look_up([key]))[key]
    if source.unknown_words:
        return [_unknown(subject, source.unknown_words)]
    if not isinstance(reply, SourceError):
        state = "no state" if reply is None else f"state {reply.state}"
        note = "" if transaction is not None else _MADE_UP_NOTE
        return [fine(subject, f"responds with {state} for {key!r}{note}")]
    return [_failure(subject, reply, known=transaction is not None)]


def _made_up_id(source: HttpPollingSource) -> str | None:
    for text in _MADE_UP_IDS:
        try:
            return source.identify(text)
        except InvalidTransactionError:
            continue
    return None


def _unknown(subject: str, words: tuple[str, ...]) -> Finding:
    return error(
        subject,
        f"unknown status {', '.join(map(repr, words))}, which is not in http.words",
        why="an unknown status changes nothing, so the transaction would never end",
        fix="add it to http.words, or correct http.status if the value is not a status",
    )


def _failure(subject: str, caught: SourceError, *, known: bool) -> Finding:
    """Return the finding for an error; a made-up id can be refused although all is well."""
    if isinstance(caught, ApplicationError | MalformedError) and not known:
        message = f"responds, but not with the state of a transaction: {caught}"
        why = "the service does not know the made-up id, so its statuses are not checked"
        fix = "pass an id that the service knows: txtrack doctor --transaction ID"
        return warning(subject, message, why=why, fix=fix)
    if isinstance(caught, RateLimitedError | NotYetError):
        fix = "retry later; set http.requests_per_second if this persists"
        return warning(subject, f"temporarily unavailable: {caught}", why=_WHY, fix=fix)
    return error(subject, f"look-up failed: {caught}", why=_WHY, fix=_fix(caught))


def _fix(caught: SourceError) -> str:
    if isinstance(caught, MalformedError):
        return "compare the response with http.status, http.id and http.words"
    if isinstance(caught, ApplicationError):
        return "correct http.url, or the id of --transaction"
    if isinstance(caught, ServerError) and "headers" in str(caught):
        return "correct http.headers; check that the key in them is still valid"
    return "check http.url, the network and the service's status page"


async def _feed(section: HttpSection, source: HttpPollingSource) -> list[Finding]:
    if section.feed is None:
        return []
    subject = f"feed {section.feed.model_dump()['url']}"
    try:
        page = await source.read_feed(None)
    except SourceError as caught:
        why = "without the feed, changes are only found by polling, which is later"
        fix = "correct the options of http.feed, or remove http.feed"
        return [error(subject, f"cannot be read: {caught}", why=why, fix=fix)]
    return [fine(subject, f"readable; its first page has {len(page.entries)} transactions")]


def _unencrypted(section: HttpSection) -> Iterator[Finding]:
    for option, _, url in section.addresses():
        place = URL(url.reveal())
        if place.scheme == "http" and place.host not in _LOCAL:
            yield warning(
                f"http.{option}",
                "requests with their headers are not encrypted",
                why="anyone on the network path can read the key and change responses",
                fix="use https",
            )


def _unwatched(section: HttpSection) -> Iterator[Finding]:
    if "reversed" in section.words.values() and not section.watch_for:
        yield warning(
            "http.watch_for",
            'is 0, although a word in http.words means "reversed"',
            why="a confirmed transaction is no longer polled, so a reversal is not noticed",
            fix='set it to the time for which a reversal is possible, such as "60d"',
        )
