"""Whether a service that is asked over HTTP answers, and in words that we know."""

import logging
from collections.abc import Iterator

from yarl import URL

from transaction_tracker.cli.checks.finding import Finding, error, fine, warning
from transaction_tracker.domain import InvalidTransactionError
from transaction_tracker.net import AllowList, CheckedClient, ForbiddenAddressError
from transaction_tracker.settings import HttpSection
from transaction_tracker.settings.convert import http_source
from transaction_tracker.sources import (
    ApplicationError,
    MalformedError,
    NotYetError,
    RateLimitedError,
    ServerError,
    SourceError,
)
from transaction_tracker.sources.http_polling import HttpPollingSource

# Asked about when no transaction is known: the first that fits the pattern of ids. That somebody
# has one of them is not likely, and does no harm.
_NOBODYS = ("txtrack-doctor", "TXTRACKDOCTOR", "0", "00000000-0000-0000-0000-000000000000")
_WHY = "what it does not answer is known of no transaction"
_RESERVATION = ", which is an id of ours; one of its own shows more: --transaction ID"
_LOCAL = ("127.0.0.1", "::1", "localhost")

# Where the source writes what it met.
logger = logging.getLogger("transaction_tracker")


async def check(section: HttpSection, transaction: str | None) -> list[Finding]:
    """Ask the service about one transaction, and for a page of its feed.

    Args:
        section: How it is asked.
        transaction: One that it should know; without it, what can be told is less.
    """
    found = [*_unencrypted(section), *_unwatched(section), *await _forbidden(section)]
    if any(one.severity == "error" for one in found):
        return found
    source = http_source(section)
    # What it warns of, the findings say.
    logger.addFilter(_nothing)
    try:
        return [*found, *await _asked(section, source, transaction), *await _feed(section, source)]
    finally:
        logger.removeFilter(_nothing)
        await source.close()


def _nothing(_record: logging.LogRecord) -> bool:
    return False


async def _forbidden(section: HttpSection) -> list[Finding]:
    """Look where the names lead: what is written as an address was judged with the options."""
    client = CheckedClient(AllowList.of(section.allow_private))
    found = []
    for option, gap, url in section.addresses():
        try:
            await client.check(url.reveal().replace(gap, "1"))
        except ForbiddenAddressError as caught:
            found.append(_refused(f"http.{option}", caught))
    await client.close()
    return found


def _refused(option: str, caught: ForbiddenAddressError) -> Finding:
    return error(
        option,
        f"its address is refused: {caught}",
        why="the source is asked nothing there",
        do="if it is yours and meant to be private, add its network to http.allow_private; "
        "otherwise correct the host's name",
    )


async def _asked(
    section: HttpSection, source: HttpPollingSource, transaction: str | None
) -> list[Finding]:
    about = f"source {section.model_dump()['url']}"
    one = transaction or _nobodys(source)
    if one is None:
        what = "was not asked: no id is known, and none of ours fits http.id_pattern"
        return [warning(about, what, why=_WHY, do="name an id that it knows: --transaction ID")]
    try:
        source.identify(one)
    except InvalidTransactionError as caught:
        do = "correct http.id_pattern, or the id"
        return [error("http.id_pattern", str(caught), why="no such id can be followed", do=do)]
    reply = (await source.look_up([one]))[one]
    if source.unknown_words:
        return [_strange(about, source.unknown_words)]
    if not isinstance(reply, SourceError):
        state = "nothing" if reply is None else reply.state
        reservation = "" if transaction is not None else _RESERVATION
        return [fine(about, f"answers, and says {state} of {one!r}{reservation}")]
    return [_trouble(about, reply, known=transaction is not None)]


def _nobodys(source: HttpPollingSource) -> str | None:
    for one in _NOBODYS:
        try:
            return source.identify(one)
        except InvalidTransactionError:
            continue
    return None


def _strange(about: str, words: tuple[str, ...]) -> Finding:
    return error(
        about,
        f"says {', '.join(map(repr, words))}, which is not among http.words",
        why="a word that is not known is no fact: the transaction would never come to its end",
        do="add it to http.words, or correct http.status if it is no status at all",
    )


def _trouble(about: str, caught: SourceError, *, known: bool) -> Finding:
    """Say what an error means; of an id that nobody has, a refusal is a good answer."""
    if isinstance(caught, ApplicationError | MalformedError) and not known:
        what = f"answers, though not as it may about an id that it knows: {caught}"
        do = "name an id that it knows: txtrack doctor --transaction ID"
        return warning(about, what, why="what it says of its own was not seen", do=do)
    if isinstance(caught, RateLimitedError | NotYetError):
        do = "come again later; set http.requests_per_second if this goes on"
        return warning(about, f"has no time now: {caught}", why=_WHY, do=do)
    return error(about, f"cannot be asked: {caught}", why=_WHY, do=_way_out(caught))


def _way_out(caught: SourceError) -> str:
    if isinstance(caught, MalformedError):
        return "compare its answer with http.status, http.id and http.words"
    if isinstance(caught, ApplicationError):
        return "correct http.url, or the id that it was asked about"
    if isinstance(caught, ServerError) and "headers" in str(caught):
        return "correct http.headers; see that the key in them is still good"
    return "check http.url, the network and the service's status page"


async def _feed(section: HttpSection, source: HttpPollingSource) -> list[Finding]:
    if section.feed is None:
        return []
    about = f"feed {section.feed.model_dump()['url']}"
    try:
        page = await source.read_feed(None)
    except SourceError as caught:
        why = "without it, news come when it is a transaction's turn, which is later"
        do = "correct the options of http.feed, or leave it out"
        return [error(about, f"cannot be read: {caught}", why=why, do=do)]
    return [fine(about, f"can be read; its first page tells of {len(page.entries)} transactions")]


def _unencrypted(section: HttpSection) -> Iterator[Finding]:
    for option, _, url in section.addresses():
        place = URL(url.reveal())
        if place.scheme == "http" and place.host not in _LOCAL:
            yield warning(
                f"http.{option}",
                "goes over the network unencrypted, headers and all",
                why="anyone on the way can read the key, and change what the service says",
                do="use https",
            )


def _unwatched(section: HttpSection) -> Iterator[Finding]:
    if "reversed" in section.words.values() and not section.watch_for:
        yield warning(
            "http.watch_for",
            'is 0, though a word stands for "reversed"',
            why="once confirmed, a transaction is asked about no more, and its reversal not seen",
            do='set it to as long as one can be taken back, such as "60d"',
        )
