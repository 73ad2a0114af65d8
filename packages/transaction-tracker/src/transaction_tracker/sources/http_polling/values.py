"""Types of the options of a service over HTTP."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, PlainValidator
from yarl import URL

from transaction_tracker.domain import State
from transaction_tracker.options.values import from_json
from transaction_tracker.sources.http_polling.headers import check_headers
from transaction_tracker.sources.http_polling.id_pattern import compiled, let_through
from transaction_tracker.sources.http_polling.jsonpath import JsonPath
from transaction_tracker.sources.http_polling.secret import SecretText
from transaction_tracker.sources.http_polling.words import MAX_WORD_CHARACTERS, REPORTABLE, Meaning

_PLACEHOLDER = re.compile(r"\{[a-z]+\}")

STATES = ", ".join(f'"{state}"' for state in REPORTABLE) + ' or "nothing"'
PATH = "a path such as data.transfers[0].status, or $ for the whole response"


def state_of(meaning: Meaning) -> State | None:
    """Return the state that a word of the configuration means; ``None`` for "nothing"."""
    return None if meaning == "nothing" else meaning


def _pattern(text: str) -> str:
    compiled(text)
    if character := let_through(text):
        raise ValueError(f"matches {character!r}")
    return text


def _path(text: str) -> str:
    JsonPath.parse(text, "path")
    return text


def _secret(value: Any) -> SecretText:
    if not isinstance(value, str | SecretText):
        raise ValueError("not a text")
    return SecretText.of(value)


def _header(value: Any) -> SecretText:
    return check_headers({"X": _secret(value)})["X"]


def _header_name(text: str) -> str:
    check_headers({text: "x"})
    return text


def _once(headers: dict[str, SecretText]) -> dict[str, SecretText]:
    """Keep the last of several headers with one name, which is from the overriding source."""
    last = {name.lower(): (name, value) for name, value in headers.items()}
    return dict(last.values())


def _table(value: Any) -> Any:
    """Convert a table in JSON, as flags set it."""
    return from_json(value) if isinstance(value, str) else value


def _host_only(value: SecretText) -> str:
    """Return a URL's origin and placeholder, without the parts that can contain a key."""
    text = value.reveal()
    return f"{URL(text).origin()}/…{''.join(_PLACEHOLDER.findall(text))}"


def _hidden(_value: SecretText) -> str:
    return "…"


JsonPlace = Annotated[str, AfterValidator(_path)]
IdPattern = Annotated[str, AfterValidator(_pattern)]
Address = Annotated[
    SecretText, PlainValidator(_secret), PlainSerializer(_host_only, return_type=str)
]
StateWords = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=MAX_WORD_CHARACTERS)], Meaning],
    BeforeValidator(_table),
]
HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[
    SecretText, PlainValidator(_header), PlainSerializer(_hidden, return_type=str)
]
Headers = Annotated[dict[HeaderName, HeaderValue], BeforeValidator(_table), AfterValidator(_once)]
