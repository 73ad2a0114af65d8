"""Convert the configuration to the application's settings and source."""

from transaction_tracker.api import WebOptions
from transaction_tracker.follower.options import ChainOptions
from transaction_tracker.service import Settings, SourceSettings
from transaction_tracker.settings.model import Configuration, SourceEntry
from transaction_tracker.settings.problems import ConfigurationError, Problem
from transaction_tracker.sources.http_polling import HttpPollingSource


def application_settings(configuration: Configuration) -> Settings:
    """Return the application's settings.

    Raises:
        ConfigurationError: No provider is configured, or two options contradict each other.
    """
    source, shard = configuration.source, configuration.shard
    if shard.count is not None and shard.number is None:
        message = f"is required for shard.count = {shard.count}: 0 to {shard.count - 1}"
        raise ConfigurationError([Problem("shard.number", message, "")])
    if source.type != "http" and not (configuration.providers or configuration.sources):
        message = "must have at least one: add [[providers]] with a url to the file, or --rpc URL"
        raise ConfigurationError([Problem("providers", message, "")])
    return Settings(
        **dict(source.part(ChainOptions)),
        type="bitcoin" if source.type == "bitcoin" else "ethereum",
        providers=configuration.providers,
        sources=tuple(map(_source_settings, configuration.sources)),
        rules=configuration.rules,
        database=configuration.database_url,
        web=web_options(configuration),
        allow_private=configuration.webhooks.allow_private,
        alerts=configuration.alerts,
        retention=configuration.retention.ended,
        notify_systemd=True,
    )


def _source_settings(entry: SourceEntry) -> SourceSettings:
    return SourceSettings(
        **dict(entry.part(ChainOptions)),
        name=entry.name,
        type="bitcoin" if entry.type == "bitcoin" else "ethereum",
        providers=entry.providers,
        http=entry.http,
    )


def application_source(configuration: Configuration) -> HttpPollingSource | None:
    """Return the only source if it is a service over HTTP; otherwise ``None``."""
    return None if configuration.http is None else HttpPollingSource.of(configuration.http)


def web_options(configuration: Configuration) -> WebOptions:
    """Return the options of the HTTP API."""
    return WebOptions(**dict(configuration.web))
