"""Declare options, and convert their values."""

import ipaddress
import json
import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, JsonValue, PlainSerializer, PlainValidator
from pydantic_settings import NoDecode

from transaction_tracker.domain.duration import duration
from transaction_tracker.domain.numbers import whole_number
from transaction_tracker.net import addresses
from transaction_tracker.sources.ethereum.profiles import check_slot_types
from transaction_tracker.sources.ethereum.revert_data import CustomError
from transaction_tracker.sources.ethereum.url import HTTP, WEBSOCKET, SecretUrl
from transaction_tracker.store.errors import DatabaseUrlError
from transaction_tracker.store.url import DatabaseUrl

_HEXADECIMAL = re.compile("0x[0-9a-fA-F]+")


def option(
    default: Any, expected: str, description: str, *, secret: bool = False, **limits: Any
) -> Any:
    """Declare one option of a section.

    Args:
        default: Default value; ``...`` for a required option.
        expected: Valid values, for errors and the reference: "a port, 0 to 65535".
        description: What the option does, in one sentence.
        secret: Whether the value must never be printed.
        limits: Limits of pydantic's ``Field``: ``ge``, ``le``, ``max_length``.
    """
    extra: dict[str, JsonValue] = {"expected": expected, "secret": secret}
    return Field(default, description=description, json_schema_extra=extra, **limits)


def _seconds(value: Any) -> Any:
    return duration(value) if isinstance(value, str) else value


def _database(value: Any) -> DatabaseUrl:
    if not isinstance(value, str | DatabaseUrl):
        raise ValueError("not a text")
    try:
        return DatabaseUrl.of(value)
    except DatabaseUrlError as error:
        raise ValueError(str(error)) from None


def _url(value: Any) -> SecretUrl:
    if not isinstance(value, str | SecretUrl):
        raise ValueError("not a text")
    return SecretUrl.of(value, HTTP)


def _socket(value: Any) -> SecretUrl:
    if not isinstance(value, str | SecretUrl):
        raise ValueError("not a text")
    return SecretUrl.of(value, WEBSOCKET)


def _split(value: Any, separator: str) -> Any:
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return from_json(value)
    return [part.strip() for part in value.split(separator) if part.strip()]


def _words(value: Any) -> Any:
    """Parse the list in an environment variable: JSON, or words separated by commas."""
    return _split(value, ",")


def _signatures(value: Any) -> Any:
    """Parse the signatures in an environment variable: JSON, or separated by semicolons."""
    return _split(value, ";")


def from_json(text: str) -> Any:
    """Parse JSON; return text that is not JSON unchanged, which a later check refuses."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _signature(value: Any) -> str:
    CustomError.of(_text(value))
    return _text(value)


def _slot_type(value: Any) -> int:
    """Convert a transaction type: a number or a text such as ``0x7b``."""
    if isinstance(value, bool):
        raise ValueError("not a number")
    if isinstance(value, str):
        value = int(value, 16) if _HEXADECIMAL.fullmatch(value) else whole_number(value)
    check_slot_types([value])
    return int(value)


def _network(value: Any) -> str:
    return str(ipaddress.ip_network(_text(value)))


def _allowed(value: Any) -> str:
    addresses.AllowList.of([_text(value)])
    return _text(value)


def _text(value: Any) -> str:
    # ``ipaddress`` converts the number 5 to the address 0.0.0.5.
    if not isinstance(value, str):
        raise ValueError("not a text")
    return value


_printed = PlainSerializer(str, return_type=str)

Seconds = Annotated[float, BeforeValidator(_seconds)]
Database = Annotated[DatabaseUrl, PlainValidator(_database), _printed]
NodeUrl = Annotated[SecretUrl, PlainValidator(_url), _printed]
SocketUrl = Annotated[SecretUrl, PlainValidator(_socket), _printed]
Network = Annotated[str, BeforeValidator(_network)]
Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_words)]
Signature = Annotated[str, BeforeValidator(_signature)]
Signatures = Annotated[tuple[Signature, ...], NoDecode, BeforeValidator(_signatures)]
SlotType = Annotated[int, BeforeValidator(_slot_type)]
SlotTypes = Annotated[tuple[SlotType, ...], NoDecode, BeforeValidator(_words)]
Allowed = Annotated[str, BeforeValidator(_allowed)]
AllowList = Annotated[tuple[Allowed, ...], NoDecode, BeforeValidator(_words)]
