"""Which options go together, and which do not."""

from collections.abc import Iterator
from typing import Any

from transaction_tracker.net import AllowList
from transaction_tracker.settings.http import FeedSection, HttpSection
from transaction_tracker.settings.model import Configuration
from transaction_tracker.settings.sections import SourceSection
from transaction_tracker.sources.http_polling.template import Template

# What a source without blocks makes something of; all else is about blocks.
_OF_ALL_SOURCES = frozenset(("type", "poll_interval", "expires_after"))

# An option, and what is wrong with it.
Conflict = tuple[tuple[str, ...], str]


def conflicts(configuration: Configuration) -> Iterator[Conflict]:
    """Find the options that cannot be as they are because of others."""
    if configuration.source.type == "http":
        yield from _of_a_chain(configuration)
        yield from _of_http(configuration.http)
        return
    if says := _required(configuration.source):
        yield ("source", "confirmations"), says
    if configuration.http is not None:
        yield ("http",), 'is for source.type = "http"; source.type is "ethereum"'


def meaningful(configuration: Configuration) -> dict[str, Any]:
    """Give all options with their values, secrets hidden, but for those of another source."""
    values = configuration.model_dump(mode="json")
    if configuration.source.type == "http":
        del values["providers"]
        source = values["source"].items()
        values["source"] = {name: value for name, value in source if name in _OF_ALL_SOURCES}
    return values


def _of_a_chain(configuration: Configuration) -> Iterator[Conflict]:
    """Name what was set though it has no meaning; defaults are in nobody's way."""
    source = configuration.source
    for name in sorted(source.model_fields_set - _OF_ALL_SOURCES):
        says = 'is for source.type = "ethereum": a service over HTTP has no blocks; leave it out'
        yield ("source", name), says
    if configuration.providers:
        says = 'are for source.type = "ethereum"; a service over HTTP is named by http.url'
        yield ("providers",), says


def _required(source: SourceSection) -> str:
    """Return what is wrong with a tag that the configured chain does not have."""
    try:
        source.chain_profile().check_required(source.confirmations)
    except ValueError as error:
        return (
            str(error).removeprefix("confirmations ").replace("set profile", "set source.profile")
        )
    return ""


def _of_http(section: HttpSection | None) -> Iterator[Conflict]:
    if section is None:
        says = 'must be given for source.type = "http": a table with name, url, status and words'
        yield ("http",), says
        return
    yield from _addresses(section)
    yield from _delays(section)
    meanings = section.words.values()
    if "confirmed" not in meanings:
        yield ("http", "words"), 'must have one for "confirmed": nothing could end well else'
    if section.watch_for and "reversed" not in meanings:
        yield ("http", "watch_for"), 'needs a word for "reversed" among http.words'
    if section.feed is not None and (says := _feed(section.feed)):
        yield ("http", "feed"), says


def _addresses(section: HttpSection) -> Iterator[Conflict]:
    allowed = AllowList.of(section.allow_private)
    for option, gap, url in section.addresses():
        try:
            Template(url.reveal(), gap, allowed, option)
        except ValueError as error:
            key = ("http", *option.split("."))
            yield key, _refusal(str(error).removeprefix(option).strip())


def _refusal(text: str) -> str:
    """Write a template's error without its option, and name the one that lets addresses through."""
    says = f"is refused{text}" if text.startswith(":") else text
    about = ("is not allowed", "allow list")
    return f"{says}; see http.allow_private" if any(words in says for words in about) else says


def _delays(section: HttpSection) -> Iterator[Conflict]:
    for room in ("", "watch_"):
        first, longest = f"{room}first_delay", f"{room}longest_delay"
        low, high = getattr(section, first), getattr(section, longest)
        if high >= low:
            continue
        if longest in section.model_fields_set:
            yield ("http", longest), f"must be http.{first} or more: {low:g} s; got {high:g} s"
        else:
            yield ("http", first), f"must be http.{longest} or less: {high:g} s; got {low:g} s"


def _feed(feed: FeedSection) -> str:
    if (feed.next is None) == (feed.entry_cursor is None):
        return "must have either next or entry_cursor, to know how to go on"
    return ""
