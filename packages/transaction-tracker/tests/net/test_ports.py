"""A port is decimal digits in every URL and option, as in the URLs of endpoints."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from transaction_tracker.net import AllowList, ForbiddenUrlError, checked_url
from transaction_tracker.net.service import check_explorer_url, service_url
from transaction_tracker.settings import ConfigurationError, load
from transaction_tracker.settings.model import Configuration
from transaction_tracker.sources.ethereum.url import SecretUrl
from transaction_tracker.store.url import DatabaseUrl, DatabaseUrlError


def endpoint_url(text: str) -> object:
    return checked_url(text, AllowList.of(["127.0.0.1", "v1.x"]))


@pytest.mark.parametrize("parse", [service_url, SecretUrl, endpoint_url])
@pytest.mark.parametrize(
    "text",
    ["http://127.0.0.1:8_0", "http://127.0.0.1:+80", "http://127.0.0.1:٨٠", "http://[v1.x]/"],
)
def test_authority_that_parsers_read_differently_is_refused(
    parse: Callable[[str], object], text: str
) -> None:
    with pytest.raises((ValueError, ForbiddenUrlError)):
        parse(text)


@pytest.mark.parametrize("authority", ["host:5_432", "host:+5432", "host:٥٤٣٢", "[v1.x]", "host:"])
@pytest.mark.parametrize("user", ["", "user@", "user:pa/ss#wo?rd@"])
def test_database_with_such_an_authority_is_refused(authority: str, user: str) -> None:
    with pytest.raises(DatabaseUrlError):
        DatabaseUrl.of(f"postgresql://{user}{authority}/name")


@pytest.mark.parametrize("user", ["", "user@", "user:pa/ss#wo?rd@"])
@pytest.mark.parametrize("authority", ["host:5432", "host", "[::1]:5432", "10.0.0.1", ""])
def test_database_with_a_plain_authority_is_accepted(authority: str, user: str) -> None:
    assert DatabaseUrl.of(f"postgresql://{user}{authority}/name").is_postgresql


def numbers(section: type[BaseModel], prefix: str = "") -> list[str]:
    """Return the names of all options of a section that are numbers."""
    found = []
    for name, field in section.model_fields.items():
        kind: Any = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += numbers(kind, f"{prefix}{name}.")
        elif kind in (int, float, int | None, float | None):
            found.append(prefix + name)
    return found


@pytest.mark.parametrize("option", [*numbers(Configuration), "source.confirmations"])
def test_number_in_a_variable_with_other_characters_is_refused(
    monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.setenv("TXTRACK_PROVIDERS__0__URL", "http://node.example")
    for text in ("8_0", "+80", " 80", "inf", "1e3", "٨٠"):
        monkeypatch.setenv("TXTRACK_" + option.replace(".", "__").upper(), text)

        with pytest.raises(ConfigurationError, match=option.replace(".", r"\.")):
            load()


def test_transaction_type_with_other_characters_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TXTRACK_PROVIDERS__0__URL", "http://node.example")
    monkeypatch.setenv("TXTRACK_SOURCE__PROFILE__SLOT_TYPES", "0,1_0")

    with pytest.raises(ConfigurationError, match="slot_types"):
        load()

    monkeypatch.setenv("TXTRACK_SOURCE__PROFILE__SLOT_TYPES", "0,1,2,0x7b")
    assert load().source.profile.slot_types == (0, 1, 2, 0x7B)


@pytest.mark.parametrize(
    "text",
    [
        "javascript:alert({id})",
        "ftp://explorer.example/{id}",
        "https://explorer.example/tx/",
        "https://user:password@explorer.example/{id}",
        "https://explorer.example/{hash}/{id}",
        "/tx/{id}",
    ],
)
def test_explorer_url_is_checked(text: str) -> None:
    check_explorer_url("https://explorer.example/tx/{id}")
    with pytest.raises(ValueError, match=r"must be an address with \{id\}"):
        check_explorer_url(text)
