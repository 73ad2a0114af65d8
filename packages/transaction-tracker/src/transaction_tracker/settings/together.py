"""Check combinations of options."""

from collections.abc import Iterator
from typing import Any

from transaction_tracker.follower.options import SourceSection
from transaction_tracker.settings.model import Configuration
from transaction_tracker.sources.http_polling import HttpSection

# Options of [source] that apply to each type of source; the others need blocks.
_OF_ALL_SOURCES = frozenset(("type", "poll_interval", "expires_after"))

_OF_ETHEREUM = frozenset(("chain_id", "errors", "profile", "follow_repriced"))
_OF_BITCOIN = frozenset(("network",))

# The key of an option, and the message.
Conflict = tuple[tuple[str, ...], str]


def conflicts(configuration: Configuration) -> Iterator[Conflict]:
    """Yield the options that are invalid in combination with other options."""
    for name, message in configuration.alerts.conflicts("alerts."):
        yield ("alerts", name), message
    if configuration.source.type == "http":
        yield from _chain_options(configuration)
        yield from _http_options(configuration.http)
        return
    yield from _other_chain(configuration.source)
    for index, provider in enumerate(configuration.providers):
        for name, message in provider.conflicts(f"providers.{index}."):
            yield ("providers", str(index), name), message
    for name, message in configuration.source.conflicts("source."):
        yield ("source", name), message
    if configuration.http is not None:
        yield ("http",), f'requires source.type = "http", got {_type(configuration.source)}'


def meaningful(configuration: Configuration) -> dict[str, Any]:
    """Return the values of the options that apply to the type of source; hide secrets."""
    values = configuration.model_dump(mode="json")
    if configuration.source.type == "http":
        del values["providers"]
        source = values["source"].items()
        values["source"] = {name: value for name, value in source if name in _OF_ALL_SOURCES}
    return values


def _chain_options(configuration: Configuration) -> Iterator[Conflict]:
    """Yield the chain's options that are set although the source is not a chain."""
    source = configuration.source
    for name in sorted(source.model_fields_set - _OF_ALL_SOURCES):
        message = 'requires source.type = "ethereum": a service over HTTP has no blocks; remove it'
        yield ("source", name), message
    if configuration.providers:
        message = 'require source.type = "ethereum"; for a service over HTTP, set http.url'
        yield ("providers",), message


def _other_chain(source: SourceSection) -> Iterator[Conflict]:
    """Yield the options that are set and belong to another kind of chain."""
    others = _OF_ETHEREUM if source.type == "bitcoin" else _OF_BITCOIN
    wanted = "ethereum" if source.type == "bitcoin" else "bitcoin"
    for name in sorted(source.model_fields_set & others):
        yield ("source", name), f'requires source.type = "{wanted}", got {_type(source)}; remove it'
    if source.type == "bitcoin" and isinstance(source.confirmations, str):
        message = f"must be a number of blocks with {_type(source)}; Bitcoin has no such tags"
        yield ("source", "confirmations"), message


def _type(source: SourceSection) -> str:
    return f'source.type = "{source.type}"'


def _http_options(section: HttpSection | None) -> Iterator[Conflict]:
    if section is None:
        message = 'is required for source.type = "http": a table with name, url, status and words'
        yield ("http",), message
        return
    for name, message in section.conflicts("http."):
        yield ("http", *name.split(".")), message
