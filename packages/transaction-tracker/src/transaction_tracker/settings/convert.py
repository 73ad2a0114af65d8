"""From the configuration to what the application runs by."""

from transaction_tracker.api import WebOptions
from transaction_tracker.application import Settings
from transaction_tracker.domain import Policy
from transaction_tracker.providers import ProviderSettings
from transaction_tracker.settings.model import Configuration
from transaction_tracker.settings.problems import ConfigurationError, Problem


def application_settings(configuration: Configuration) -> Settings:
    """Give the application's settings.

    Raises:
        ConfigurationError: No provider is configured, or two options do not go together.
    """
    source = configuration.source
    if not configuration.providers:
        says = "must name at least one: [[providers]] with a url in the file, or --rpc URL"
        raise ConfigurationError([Problem("providers", says, "")])
    return Settings(
        chain_id=source.chain_id,
        confirmations=source.confirmations,
        database=configuration.database.url,
        poll_interval=source.poll_interval,
        providers=_providers(configuration),
        policy=Policy(source.drop_after_blocks, source.drop_after_seconds, source.stuck_after),
        expires_after=source.expires_after,
        follow_repriced=source.follow_repriced,
        sweep_budget=source.sweep_budget,
        web=web_options(configuration),
        allow_private=configuration.webhooks.allow_private,
    )


def web_options(configuration: Configuration) -> WebOptions:
    """Give where the API listens."""
    return WebOptions(**configuration.web.model_dump())


def _providers(configuration: Configuration) -> tuple[ProviderSettings, ...]:
    found = []
    for place, section in enumerate(configuration.providers):
        try:
            found.append(ProviderSettings(**dict(section)))
        except ValueError as error:
            raise ConfigurationError([Problem(f"providers.{place}", f": {error}", "")]) from None
    return tuple(found)
