import re
from typing import Any

import pytest

from transaction_tracker.providers import Pool, ProviderSettings, SubscriptionTimeouts
from transaction_tracker.sources.ethereum import SecretUrl

SECRET = "s3cret-project-key"
URL = f"https://node.example.org/v3/{SECRET}"


def test_urls_can_be_strings_and_are_never_printed() -> None:
    settings = ProviderSettings(URL, ws_url=f"wss://node.example.org/{SECRET}")

    assert settings.url == SecretUrl(URL)
    assert SECRET not in repr(settings) + str(settings)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"url": f"ws://node.example.org/{SECRET}"}, "url must be a URL such as http://host:port"),
        ({"ws_url": URL}, "ws_url must be a URL such as ws://host:port"),
        ({"ws_url": SecretUrl(URL)}, "ws_url must be a URL such as ws://host:port"),
        ({"url": None}, "url must be a URL such as http://host:port"),
        ({"requests_per_second": 0}, "requests_per_second must be a number over 0"),
        ({"requests_per_second": float("nan")}, "requests_per_second must be a number over 0"),
        ({"requests_per_second": True}, "requests_per_second must be a number over 0"),
        ({"requests_per_second": "five"}, "got 'five'"),
        ({"burst": 5}, "burst needs requests_per_second"),
        ({"burst": 0, "requests_per_second": 1}, "burst must be a number, 1 to 100,000, got 0"),
        ({"max_in_flight": 0}, "max_in_flight must be a number, 1 to 1,000, got 0"),
        ({"max_in_flight": None}, "max_in_flight must be a number, 1 to 1,000, got None"),
        ({"batch_size": 1.5}, "batch_size must be a number, 1 to 10,000, got 1.5"),
        ({"deadline": 0}, "deadline must be over 0, up to 5m: seconds"),
        ({"deadline": float("inf")}, "deadline must be over 0"),
        ({"urk": URL}, "urk is an unknown option; did you mean url?"),
    ],
)
def test_invalid_setting_is_refused_and_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        ProviderSettings(**{"url": URL} | given)

    assert SECRET not in str(caught.value)


def test_required_option_is_named() -> None:
    with pytest.raises(ValueError, match="url is required: a URL such as"):
        ProviderSettings()


def test_positional_values_are_limited_and_given_once() -> None:
    with pytest.raises(TypeError, match="ProviderSettings has 7 options, got 8 values"):
        ProviderSettings(*range(8))  # type: ignore[call-arg, arg-type]
    with pytest.raises(TypeError, match="ProviderSettings got two values for url"):
        ProviderSettings(URL, url=URL)  # type: ignore[misc, arg-type]


def test_copy_with_changes_is_checked() -> None:
    settings = ProviderSettings(URL, batch_size=7)  # type: ignore[arg-type]

    assert settings.replace(deadline=2).batch_size == 7
    with pytest.raises(ValueError, match="burst needs requests_per_second"):
        settings.replace(burst=2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"settings": []}, "one provider or more"),
        ({"max_lag": -1}, "max_lag must be a number of blocks, 0 or more, got -1"),
        ({"max_lag": 1.5}, "max_lag must be a number of blocks"),
        ({"probe_interval": 0.0}, "probe_interval must be over 0 seconds"),
        ({"chain_id": 0}, "chain_id must be 1 or more, got 0"),
    ],
)
def test_invalid_pool_argument_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Pool(**{"settings": [ProviderSettings(URL)]} | given)


@pytest.mark.parametrize("name", ["block_time", "ping", "connect", "close"])
@pytest.mark.parametrize("value", [0, -1.0, float("inf"), "1"])
def test_invalid_timeout_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"{name} must be over 0 seconds"):
        SubscriptionTimeouts(**{name: value})
