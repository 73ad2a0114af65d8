"""Types of options, and how text from an environment variable becomes their value."""

import ipaddress
import json
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer
from pydantic_settings import NoDecode

from transaction_tracker.domain.duration import duration
from transaction_tracker.domain.numbers import whole_number
from transaction_tracker.net import addresses
from transaction_tracker.net.service import check_explorer_url, service_url


def from_json(text: str) -> Any:
    """Parse JSON; return text that is not JSON unchanged, which a later check refuses."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def as_list(value: Any) -> Any:
    """Convert a list that environment variables define: JSON, or a table of indexes."""
    if isinstance(value, str):
        return from_json(value)
    if isinstance(value, dict) and all(key.isdecimal() for key in value):
        return [value[key] for key in sorted(value, key=int)]
    return value


def split(value: Any, separator: str) -> Any:
    """Parse the list in an environment variable: JSON, or parts between separators."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return from_json(value)
    return [part.strip() for part in value.split(separator) if part.strip()]


def text_of(value: Any) -> str:
    """Return a text unchanged.

    Raises:
        ValueError: It is not a text. ``ipaddress`` would convert the number 5 to 0.0.0.5.
    """
    if not isinstance(value, str):
        raise ValueError("not a text")
    return value


def _seconds(value: Any) -> Any:
    return duration(value) if isinstance(value, str) else value


def _words(value: Any) -> Any:
    return split(value, ",")


def _numbers(value: Any) -> Any:
    return [whole_number(text) for text in split(value, ",")] if isinstance(value, str) else value


def _network(value: Any) -> str:
    return str(ipaddress.ip_network(text_of(value)))


def _allowed(value: Any) -> str:
    addresses.AllowList.of([text_of(value)])
    return text_of(value)


def _service_url(text: str) -> str:
    service_url(text)
    return text


def _explorer_url(text: str) -> str:
    check_explorer_url(text)
    return text


printed: PlainSerializer = PlainSerializer(str, return_type=str)
comma_separated: BeforeValidator = BeforeValidator(_words)

Seconds = Annotated[float, BeforeValidator(_seconds)]
Numbers = Annotated[tuple[int, ...], NoDecode, BeforeValidator(_numbers)]
Network = Annotated[str, BeforeValidator(_network)]
Networks = Annotated[tuple[Network, ...], NoDecode, comma_separated]
Allowed = Annotated[str, BeforeValidator(_allowed)]
AllowedHosts = Annotated[tuple[Allowed, ...], NoDecode, comma_separated]
ServiceUrl = Annotated[str, AfterValidator(_service_url)]
ExplorerUrl = Annotated[str, AfterValidator(_explorer_url)]
