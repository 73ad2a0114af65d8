"""The settings of an application, as Python values."""

from collections.abc import Iterator
from typing import Literal

from transaction_tracker.alerts import AlertOptions
from transaction_tracker.api import WebOptions
from transaction_tracker.delivery.options import allowed_hosts
from transaction_tracker.follower.options import (
    ChainOptions,
    equal_sources,
    overlapping_ids,
    source_name,
    unnamed_chain,
)
from transaction_tracker.follower.rule_options import (
    MAX_RULES,
    RuledSource,
    RuleOptions,
    rule_conflicts,
)
from transaction_tracker.options import Section, option
from transaction_tracker.options.values import AllowedHosts, Seconds
from transaction_tracker.providers import ProviderSettings
from transaction_tracker.providers.settings import AnyNodeUrl
from transaction_tracker.sources.ethereum import SecretUrl
from transaction_tracker.sources.http_polling import HttpSection
from transaction_tracker.store.options import AnyDatabase, database, retention


class _Node(Section):
    """The only node, the first argument of the settings."""

    rpc_url: AnyNodeUrl | None = option(
        None,
        "a URL such as http://host:port or https://host/key",
        "URL of the only node; instead of providers. Only its host is ever printed.",
        secret=True,
    )


class _Nodes(ChainOptions, _Node):
    """A chain and its nodes."""

    type: Literal["ethereum", "bitcoin"] = option(
        "ethereum",
        '"ethereum" or "bitcoin"',
        "What the nodes follow: an EVM chain or a network of Bitcoin.",
    )
    providers: tuple[ProviderSettings, ...] = option(
        (),
        "a list of ProviderSettings",
        "Several nodes of the same chain: one is followed, the others are in reserve.",
    )

    def conflicts(self, table: str = "") -> Iterator[tuple[str, str]]:
        """Yield nodes that are given twice, and a tag that the chain does not support."""
        if self.rpc_url is not None and self.providers:
            yield "rpc_url", "and providers cannot both be given"
        yield from super().conflicts(table)

    @property
    def endpoints(self) -> tuple[ProviderSettings, ...]:
        """The settings of all nodes."""
        if self.rpc_url is None:
            return self.providers
        return (ProviderSettings(SecretUrl.of(self.rpc_url)),)


class SourceSettings(_Nodes):
    """One source of several: a chain with its nodes, or a service that is polled over HTTP."""

    name: str = source_name()
    http: HttpSection | None = option(
        None, "HttpSection or None", "The service; instead of the nodes of a chain."
    )

    def conflicts(self, table: str = "") -> Iterator[tuple[str, str]]:
        """Yield what a source of several lacks."""
        yield from super().conflicts(table)
        yield from unnamed_chain(self)
        if self.http is None and not self.endpoints:
            yield "providers", "must have at least one, or http must be given"


class Settings(_Nodes):
    """The settings of a tracker application: the chain, the nodes, the database, and the rest."""

    sources: tuple[SourceSettings, ...] = option(
        (),
        "a list of SourceSettings",
        "Several sources, each with its own nodes; instead of the options of one chain.",
    )
    rules: tuple[RuleOptions, ...] = option(
        (),
        f"a list of up to {MAX_RULES} RuleOptions",
        "Rules by token and amount: payments that need more confirmations.",
        max_length=MAX_RULES,
    )
    database: AnyDatabase = database()
    migrate: bool = option(
        True,
        "true or false",
        "Whether missing or old tables of the database are migrated at the start.",
    )
    web: WebOptions | None = option(
        None, "WebOptions or None", "Options of the HTTP API. Default: no API."
    )
    allow_private: AllowedHosts = allowed_hosts()
    alerts: AlertOptions = option(
        AlertOptions(), "AlertOptions", "Options of the alerts about the application."
    )
    retention: Seconds | None = retention()
    metrics: bool = option(
        False,
        "true or false",
        "Whether metrics are counted without the HTTP API, which always counts them.",
    )
    notify_systemd: bool = option(
        False,
        "true or false",
        "Whether systemd is notified of the start, the stop and heartbeats. Only for a program "
        "that is ready when the tracker is.",
    )

    def conflicts(self, table: str = "") -> Iterator[tuple[str, str]]:
        """Yield sources that cannot be told apart, and what the chain does not support."""
        yield from super().conflicts(table)
        if self.sources and self.endpoints:
            yield "sources", "and the nodes of one chain cannot both be given"
        for _, _, message in equal_sources(self.sources):
            yield "sources", message
        for place, name, message in overlapping_ids(self.sources):
            yield "sources", f"of {self.sources[place].name!r}: {name} {message}"
        for place, name, message in rule_conflicts(self.rules, self._ruled_sources()):
            yield f"rules.{place}.{name}", message

    def _ruled_sources(self) -> dict[str | None, RuledSource]:
        if not self.sources:
            return {None: RuledSource(self.type, self)}
        return {
            source.name: RuledSource("http" if source.http else source.type, source)
            for source in self.sources
        }
