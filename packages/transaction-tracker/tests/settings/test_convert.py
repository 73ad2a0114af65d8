"""Conversion of the configuration to the settings of the application."""

from dataclasses import fields

import pytest

from transaction_tracker.alerts import AlertOptions
from transaction_tracker.api import WebOptions
from transaction_tracker.domain import Policy
from transaction_tracker.providers import ProviderSettings
from transaction_tracker.settings import (
    Configuration,
    ConfigurationError,
    Flags,
    load,
)
from transaction_tracker.settings.convert import application_settings, web_options
from transaction_tracker.sources.ethereum.options import ProfileSection
from transaction_tracker.sources.ethereum.profiles import ChainProfile


def test_every_option_reaches_the_application() -> None:
    flags = {
        ("source", "chain_id"): 5,
        ("source", "confirmations"): "safe",
        ("source", "poll_interval"): "2s",
        ("source", "block_time"): 0.25,
        ("source", "sweep_budget"): 30,
        ("source", "drop_after_blocks"): 31,
        ("source", "drop_after_seconds"): 32,
        ("source", "stuck_after"): 33,
        ("source", "expires_after"): 34,
        ("source", "follow_repriced"): True,
        ("source", "rebroadcast"): True,
        ("source", "profile", "fee"): "scroll",
        ("source", "profile", "null_rounds"): True,
        ("source", "errors"): ["Unpaid(uint256 due)"],
        ("database", "url"): "postgresql://u:s3cret@host/name",
        ("providers",): [{"url": "http://a/key", "ws_url": "ws://a/key", "batch_size": 7}],
        ("web", "port"): 81,
        ("webhooks", "allow_private"): ["10.0.0.0/8", "hooks.internal"],
        ("alerts", "kinds"): "disk.low,provider.down",
        ("alerts", "clear_after"): "2m",
        ("alerts", "endpoint_failures"): 7,
        ("retention", "ended"): "90d",
    }
    configuration = load(flags=Flags({key: (value, "") for key, value in flags.items()}))

    settings = application_settings(configuration)

    assert settings.chain_id == 5
    assert settings.confirmations == "safe"
    assert settings.poll_interval == 2
    assert settings.block_time == 0.25
    assert settings.sweep_budget == 30
    assert settings.policy == Policy(31, 32, 33)
    assert settings.expires_after == 34
    assert settings.follow_repriced is True
    assert settings.rebroadcast is True
    assert settings.profile.changes == {"fee": "scroll", "null_rounds": True}
    assert settings.errors == ("Unpaid(uint256 due)",)
    assert settings.database == configuration.database.url
    (provider,) = settings.providers
    assert provider == ProviderSettings("http://a/key", "ws://a/key", batch_size=7)  # type: ignore[arg-type]
    assert settings.web == WebOptions(port=81)
    assert settings.allow_private == ("10.0.0.0/8", "hooks.internal")
    assert settings.alerts == AlertOptions(
        kinds=("disk.low", "provider.down"), clear_after=120, endpoint_failures=7
    )
    assert settings.retention == 90 * 86_400
    assert settings.notify_systemd is True


def test_defaults_are_those_of_the_python_api() -> None:
    configuration = load(flags=Flags({("providers",): ([{"url": "http://a"}], "--rpc")}))

    settings = application_settings(configuration)

    assert settings.policy == Policy()
    assert settings.block_time is None
    assert settings.profile.changes == {}
    assert settings.providers == (ProviderSettings("http://a"),)  # type: ignore[arg-type]
    assert settings.web == WebOptions()
    assert settings.retention is None


def test_sections_have_the_options_of_their_classes() -> None:
    assert set(ProfileSection.model_fields) == {one.name for one in fields(ChainProfile)}
    assert web_options(Configuration()) == WebOptions()


def test_configuration_without_a_provider_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="providers must have at least one"):
        application_settings(Configuration())


def test_contradicting_options_are_an_error() -> None:
    providers = [{"url": "http://a/s3cret"}, {"url": "http://b/s3cret", "burst": 3}]

    with pytest.raises(ConfigurationError) as caught:
        load(flags=Flags({("providers",): (providers, "--rpc")}))

    (problem,) = caught.value.problems
    assert str(problem) == (
        "providers.1.burst needs providers.1.requests_per_second; without it, burst has no effect "
        "(flag --rpc)"
    )
    assert "s3cret" not in str(caught.value)
