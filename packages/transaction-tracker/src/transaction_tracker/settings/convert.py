"""Convert the configuration to the application's settings and source."""

from transaction_tracker.api import WebOptions
from transaction_tracker.domain import Policy, State
from transaction_tracker.service import Settings
from transaction_tracker.settings.http import DAY_SECONDS, HttpSection
from transaction_tracker.settings.http_values import Meaning
from transaction_tracker.settings.model import Configuration
from transaction_tracker.settings.problems import ConfigurationError, Problem
from transaction_tracker.sources.http_polling import (
    BatchLookUp,
    Feed,
    HttpPollingSource,
    PollingPolicy,
    RequestLimits,
)


def application_settings(configuration: Configuration) -> Settings:
    """Return the application's settings.

    Raises:
        ConfigurationError: No provider is configured, or two options contradict each other.
    """
    source = configuration.source
    if source.type == "ethereum" and not configuration.providers:
        message = "must have at least one: add [[providers]] with a url to the file, or --rpc URL"
        raise ConfigurationError([Problem("providers", message, "")])
    return Settings(
        chain_id=source.chain_id,
        confirmations=source.confirmations,
        database=configuration.database.url,
        poll_interval=source.poll_interval,
        providers=configuration.providers,
        policy=Policy(source.drop_after_blocks, source.drop_after_seconds, source.stuck_after),
        expires_after=source.expires_after,
        follow_repriced=source.follow_repriced,
        block_time=source.block_time,
        profile=source.profile.changes,
        errors=source.errors,
        sweep_budget=source.sweep_budget,
        web=web_options(configuration),
        allow_private=configuration.webhooks.allow_private,
        retention=configuration.retention.ended,
        notify_systemd=True,
    )


def application_source(configuration: Configuration) -> HttpPollingSource | None:
    """Return the HTTP source; ``None`` if the source is the chain of the providers."""
    return None if configuration.http is None else http_source(configuration.http)


def http_source(section: HttpSection) -> HttpPollingSource:
    """Return the HTTP source of a section."""
    return HttpPollingSource(
        section.url.reveal(),
        name=section.name,
        status=section.status,
        words={word: _state(meaning) for word, meaning in section.words.items()},
        id_pattern=section.id_pattern,
        id=section.id,
        error=section.error,
        not_found=_state(section.not_found),
        headers=section.headers,
        batch=_batch(section),
        feed=_feed(section),
        policy=_policy(section),
        limits=_limits(section),
        allow=section.allow_private,
    )


def web_options(configuration: Configuration) -> WebOptions:
    """Return the options of the HTTP API."""
    return WebOptions(**dict(configuration.web))


def _state(meaning: Meaning) -> State | None:
    return None if meaning == "nothing" else meaning


def _batch(section: HttpSection) -> BatchLookUp | None:
    batch = section.batch
    return None if batch is None else BatchLookUp(**dict(batch) | {"url": batch.url.reveal()})


def _feed(section: HttpSection) -> Feed | None:
    feed = section.feed
    return None if feed is None else Feed(**dict(feed) | {"url": feed.url.reveal()})


def _policy(section: HttpSection) -> PollingPolicy:
    return PollingPolicy(
        first_delay=section.first_delay,
        longest_delay=section.longest_delay,
        agree=section.agree,
        watch_days=section.watch_for / DAY_SECONDS,
        watch_first_delay=section.watch_first_delay,
        watch_longest_delay=section.watch_longest_delay,
        feed_interval=section.feed_interval,
    )


def _limits(section: HttpSection) -> RequestLimits:
    return RequestLimits(
        requests_per_second=section.requests_per_second,
        in_flight=section.in_flight,
        deadline=section.deadline,
        answer_bytes=section.answer_bytes,
    )
