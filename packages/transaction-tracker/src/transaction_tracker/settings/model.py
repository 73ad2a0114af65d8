"""The whole configuration."""

from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from transaction_tracker.alerts import AlertOptions
from transaction_tracker.api.options import WebSection
from transaction_tracker.delivery.options import WebhooksSection
from transaction_tracker.follower.options import SourceSection, source_name
from transaction_tracker.follower.rule_options import MAX_RULES, RuleOptions
from transaction_tracker.options.values import as_list
from transaction_tracker.providers import ProviderSettings
from transaction_tracker.router.options import RouterSection
from transaction_tracker.settings.client import ClientSection
from transaction_tracker.settings.logs import LogsSection
from transaction_tracker.sources.http_polling import HttpSection
from transaction_tracker.store.options import DatabaseSection, RetentionSection, ShardSection
from transaction_tracker.store.url import DatabaseUrl

PREFIX = "TXTRACK_"
DELIMITER = "__"


Providers = Annotated[
    tuple[ProviderSettings, ...], NoDecode, BeforeValidator(as_list), Field(max_length=32)
]


class SourceEntry(SourceSection):
    """One source of several, with the options of [source], providers or http, and a name."""

    name: str = source_name()
    providers: Providers = ()
    http: HttpSection | None = None


class Configuration(BaseSettings):
    """All options of the service and its commands; `load` reads them."""

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        env_prefix=PREFIX,
        env_nested_delimiter=DELIMITER,
        env_ignore_empty=True,
    )

    database: DatabaseSection = DatabaseSection()
    shard: ShardSection = ShardSection()
    router: RouterSection = RouterSection()
    source: SourceSection = SourceSection()
    providers: Providers = ()
    http: HttpSection | None = None
    sources: Annotated[
        tuple[SourceEntry, ...], NoDecode, BeforeValidator(as_list), Field(max_length=32)
    ] = ()
    rules: Annotated[
        tuple[RuleOptions, ...], NoDecode, BeforeValidator(as_list), Field(max_length=MAX_RULES)
    ] = ()
    web: WebSection = WebSection()
    webhooks: WebhooksSection = WebhooksSection()
    alerts: AlertOptions = AlertOptions()
    retention: RetentionSection = RetentionSection()
    logs: LogsSection = LogsSection()
    client: ClientSection = ClientSection()

    @property
    def database_url(self) -> DatabaseUrl:
        """The database of the service: of a shard, its schema."""
        number = self.shard.number
        return self.database.url if number is None else self.all_databases[number]

    @property
    def all_databases(self) -> tuple[DatabaseUrl, ...]:
        """The databases of all shards; of a service without shards, the only one."""
        url = self.database.url
        return tuple(url.of_shard(shard) for shard in self.shard.all) or (url,)

    @property
    def databases(self) -> tuple[DatabaseUrl, ...]:
        """The databases of a command: that of the shard, or of all if no number is given."""
        return self.all_databases if self.shard.number is None else (self.database_url,)

    def parts(self) -> dict[str | None, "Configuration"]:
        """Return the configuration of each source by its name, as if it were the only one.

        The name of the only source is ``None``.
        """
        if not self.sources:
            return {None: self}
        return {
            entry.name: self.model_copy(
                update={
                    "source": entry,
                    "providers": entry.providers,
                    "http": entry.http,
                    "sources": (),
                }
            )
            for entry in self.sources
        }

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Disable pydantic's own sources.

        `load` merges the sources itself, so that an error can name the source of a value.
        """
        return (init_settings,)
