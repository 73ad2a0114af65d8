"""Types of the options of a service over HTTP."""

import re
import warnings
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, PlainValidator
from yarl import URL

from transaction_tracker.options.values import from_json
from transaction_tracker.sources.http_polling import SecretText
from transaction_tracker.sources.http_polling.headers import check_headers
from transaction_tracker.sources.http_polling.jsonpath import JsonPath
from transaction_tracker.sources.http_polling.source import compiled
from transaction_tracker.sources.http_polling.words import MAX_WORD_CHARACTERS

# These characters have a meaning in a URL: the API's path of such an id would be another path.
RESERVED = "/?#%"
# The source refuses these and all other characters that are not printable, whatever the pattern.
_CONTROLS = (*map(chr, range(32)), "\x7f")
# A part of a regular expression that matches one character: an escape, a set, or the character.
_PIECE = re.compile(
    r"\\(?:x.{2}|u.{4}|U.{8}|N\{[^}]*\}|[0-7]{2,3}|.)|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL
)
_PLACEHOLDER = re.compile(r"\{[a-z]+\}")

STATES = (
    '"pending", "missing", "confirmed", "failed", "dropped", "expired", "invalid", "reversed" or '
    '"nothing"'
)
PATH = "a path such as data.transfers[0].status, or $ for the whole response"

# "nothing" is a word that changes nothing; TOML has no null.
Meaning = Literal[
    "pending",
    "missing",
    "confirmed",
    "failed",
    "dropped",
    "expired",
    "invalid",
    "reversed",
    "nothing",
]


def let_through(pattern: str) -> str:
    """Return a forbidden character that an id of the pattern can contain; empty if there is none.

    The check is conservative: it looks at each part of the pattern that matches a character. If it
    returns an empty text, no id contains a forbidden character. It can also return a character
    that no id contains.
    """
    # A dot can match every character, whichever flags the pattern sets.
    with warnings.catch_warnings(action="ignore", category=FutureWarning):
        found = filter(_compiles, _PIECE.findall(pattern))
        pieces = [re.compile(piece, re.DOTALL) for piece in found]
    character: str
    for character in (*RESERVED, *_CONTROLS):
        if any(piece.fullmatch(character) for piece in pieces):
            return character
    return ""


def _compiles(piece: str) -> bool:
    """Return whether a part is a pattern; single operators, brackets and references are not."""
    try:
        re.compile(piece)
    except re.error:
        return False
    return True


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
Words = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=MAX_WORD_CHARACTERS)], Meaning],
    BeforeValidator(_table),
]
HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[
    SecretText, PlainValidator(_header), PlainSerializer(_hidden, return_type=str)
]
Headers = Annotated[dict[HeaderName, HeaderValue], BeforeValidator(_table), AfterValidator(_once)]
