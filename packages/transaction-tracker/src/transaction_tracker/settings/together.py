"""Check combinations of options."""

from collections.abc import Iterator, Sequence
from typing import Any

from transaction_tracker.follower.options import (
    SourceSection,
    equal_sources,
    overlapping_ids,
    unnamed_chain,
)
from transaction_tracker.follower.rule_options import RuledSource, rule_conflicts
from transaction_tracker.options.problems import Key
from transaction_tracker.providers import ProviderSettings
from transaction_tracker.settings.model import Configuration
from transaction_tracker.sources.http_polling import HttpSection

# Options of [source] that apply to each type of source; the others need blocks.
_OF_ALL_SOURCES = frozenset(("type", "poll_interval", "expires_after"))

# Options of [source] that apply to one type of chain.
_OF_ETHEREUM = frozenset(("chain_id", "errors", "profile", "follow_repriced", "addresses"))
_OF_BITCOIN = frozenset(("network",))

# Options that an entry of [[sources]] has besides those of [source].
_OF_ENTRIES = frozenset(("name", "providers", "http"))
# The key of an option, and the message.
Conflict = tuple[tuple[str, ...], str]


def conflicts(configuration: Configuration) -> Iterator[Conflict]:
    """Yield the options that are invalid in combination with other options."""
    for name, message in configuration.alerts.conflicts("alerts."):
        yield ("alerts", name), message
    sources = {
        name: RuledSource(part.source.type, part.source)
        for name, part in configuration.parts().items()
    }
    for place, name, message in rule_conflicts(configuration.rules, sources):
        yield ("rules", str(place), name), message
    yield from _sharded(configuration)
    if configuration.sources:
        yield from _several(configuration)
        return
    yield from _source(
        configuration.source, configuration.providers, configuration.http, ("source",), ()
    )


def _sharded(configuration: Configuration) -> Iterator[Conflict]:
    for table in ("shard", "router"):
        for name, message in getattr(configuration, table).conflicts(f"{table}."):
            yield (table, name), message
    database = configuration.database.url
    if configuration.shard.count is not None and not database.is_postgresql:
        message = (
            "requires a PostgreSQL database: set database.url to "
            f"postgresql://USER:PASSWORD@HOST/NAME, got {database}"
        )
        yield ("shard", "count"), message


def _several(configuration: Configuration) -> Iterator[Conflict]:
    """Yield the options of one source beside those of several, and the conflicts of each."""
    for name in ("providers", "http", "source"):
        if name in configuration.model_fields_set and getattr(configuration, name):
            yield (name,), "and [[sources]] cannot both be given; move it into one of [[sources]]"
    entries = configuration.sources
    for place, name, message in (*equal_sources(entries), *overlapping_ids(entries)):
        yield ("sources", str(place), *name.split(".")), message
    for place, entry in enumerate(configuration.sources):
        at = ("sources", str(place))
        yield from _source(entry, entry.providers, entry.http, at, at)
        for name, message in unnamed_chain(entry):
            yield (*at, name), message
        if entry.type != "http" and not entry.providers:
            yield (*at, "providers"), "must have at least one: add [[sources.providers]] with a url"


def _source(
    source: SourceSection,
    providers: Sequence[ProviderSettings],
    http: HttpSection | None,
    at: Key,
    beside: Key,
) -> Iterator[Conflict]:
    """Yield the conflicts of one source.

    Args:
        source: Its options.
        providers: Its providers.
        http: The service that it is, if it is one.
        at: Key of the table of its options.
        beside: Key of the table that has its providers and its service.
    """
    if source.type == "http":
        yield from _chain_options(source, providers, at, beside)
        yield from _http_options(http, beside)
        return
    yield from _other_chain(source, at)
    for index, provider in enumerate(providers):
        for name, message in provider.conflicts(f"{'.'.join((*beside, 'providers', str(index)))}."):
            yield (*beside, "providers", str(index), name), message
    for name, message in source.conflicts(f"{'.'.join(at)}."):
        yield (*at, *name.split(".")), message
    if http is not None:
        kind = ".".join((*at, "type"))
        yield (*beside, "http"), f'requires {kind} = "http", got {_type(source, at)}'


def meaningful(configuration: Configuration) -> dict[str, Any]:
    """Return the values of the options that apply to the type of source; hide secrets."""
    values = configuration.model_dump(mode="json")
    if configuration.sources:
        for name in ("source", "providers", "http"):
            del values[name]
        values["sources"] = [_meaningful_entry(entry) for entry in values["sources"]]
        return values
    del values["sources"]
    if configuration.source.type == "http":
        del values["providers"]
        source = values["source"].items()
        values["source"] = {name: value for name, value in source if name in _OF_ALL_SOURCES}
    return values


def _meaningful_entry(entry: dict[str, Any]) -> dict[str, Any]:
    if entry["type"] == "http":
        return {
            name: value
            for name, value in entry.items()
            if name in _OF_ALL_SOURCES or name in ("name", "http")
        }
    return {name: value for name, value in entry.items() if name != "http"}


def _chain_options(
    source: SourceSection, providers: Sequence[ProviderSettings], at: Key, beside: Key
) -> Iterator[Conflict]:
    """Yield the chain's options that are set although the source is not a chain."""
    kind = ".".join((*at, "type"))
    allowed = {*_OF_ALL_SOURCES, *_OF_ENTRIES} if beside else _OF_ALL_SOURCES
    for name in sorted(source.model_fields_set - allowed):
        message = f'requires {kind} = "ethereum": a service over HTTP has no blocks; remove it'
        yield (*at, name), message
    if providers:
        url = ".".join((*beside, "http", "url"))
        message = f'require {kind} = "ethereum"; for a service over HTTP, set {url}'
        yield (*beside, "providers"), message


def _other_chain(source: SourceSection, at: Key) -> Iterator[Conflict]:
    """Yield the options that are set and belong to another kind of chain."""
    others = _OF_ETHEREUM if source.type == "bitcoin" else _OF_BITCOIN
    wanted = "ethereum" if source.type == "bitcoin" else "bitcoin"
    kind = ".".join((*at, "type"))
    for name in sorted(source.model_fields_set & others):
        message = f'requires {kind} = "{wanted}", got {_type(source, at)}; remove it'
        yield (*at, name), message
    if source.type == "bitcoin" and isinstance(source.confirmations, str):
        message = f"must be a number of blocks with {_type(source, at)}; Bitcoin has no such tags"
        yield (*at, "confirmations"), message


def _type(source: SourceSection, at: Key) -> str:
    return f'{".".join((*at, "type"))} = "{source.type}"'


def _http_options(section: HttpSection | None, beside: Key) -> Iterator[Conflict]:
    table = (*beside, "http")
    if section is None:
        kind = ".".join((*(beside or ("source",)), "type"))
        message = f'is required for {kind} = "http": a table with name, url, status and words'
        yield table, message
        return
    for name, message in section.conflicts(f"{'.'.join(table)}."):
        yield (*table, *name.split(".")), message
