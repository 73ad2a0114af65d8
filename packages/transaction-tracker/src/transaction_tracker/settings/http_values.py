"""The kinds of values that the options of a service over HTTP have."""

import re
import warnings
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, PlainValidator
from yarl import URL

from transaction_tracker.settings.options import from_json
from transaction_tracker.sources.http_polling import SecretText
from transaction_tracker.sources.http_polling.headers import check_headers
from transaction_tracker.sources.http_polling.jsonpath import JsonPath
from transaction_tracker.sources.http_polling.source import compiled

# What has a meaning of its own in an address: the API could not be asked about such an id.
RESERVED = "/?#%"
# The source refuses these, and all else that does not print, in any case.
_CONTROLS = (*map(chr, range(32)), "\x7f")
# One piece of a regular expression that stands for a character: an escape, a set, or itself.
_PIECE = re.compile(
    r"\\(?:x.{2}|u.{4}|U.{8}|N\{[^}]*\}|[0-7]{2,3}|.)|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL
)
_GAP = re.compile(r"\{[a-z]+\}")

STATES = (
    '"pending", "missing", "confirmed", "failed", "dropped", "expired", "invalid", "reversed" or '
    '"nothing"'
)
PATH = "a path such as data.transfers[0].status, or $ for the whole answer"

# TOML has no null: a word that says nothing says so.
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
    """Give a character that ids of a pattern may have, and must not; empty if there is none.

    It looks at what stands for single characters, wherever that is: of a pattern that it lets
    pass no id has such a character, and it refuses some whose ids never have one.
    """
    # A dot means every character, whatever flags the pattern sets.
    with warnings.catch_warnings(action="ignore", category=FutureWarning):
        found = filter(_reads, _PIECE.findall(pattern))
        pieces = [re.compile(piece, re.DOTALL) for piece in found]
    character: str
    for character in (*RESERVED, *_CONTROLS):
        if any(piece.fullmatch(character) for piece in pieces):
            return character
    return ""


def _reads(piece: str) -> bool:
    """Say whether a piece means something by itself: operators, brackets, references do not."""
    try:
        re.compile(piece)
    except re.error:
        return False
    return True


def _pattern(text: str) -> str:
    compiled(text)
    if character := let_through(text):
        raise ValueError(f"lets {character!r} through")
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
    """Take of several headers of one name the last: sources that count more come later."""
    last = {name.lower(): (name, value) for name, value in headers.items()}
    return dict(last.values())


def _table(value: Any) -> Any:
    """Take a table also as JSON: flags give it so."""
    return from_json(value) if isinstance(value, str) else value


def _host_only(value: SecretText) -> str:
    """Print an address so that it can be read again, without what may be a key in it."""
    text = value.reveal()
    return f"{URL(text).origin()}/…{''.join(_GAP.findall(text))}"


def _hidden(_value: SecretText) -> str:
    return "…"


JsonPlace = Annotated[str, AfterValidator(_path)]
IdPattern = Annotated[str, AfterValidator(_pattern)]
Address = Annotated[
    SecretText, PlainValidator(_secret), PlainSerializer(_host_only, return_type=str)
]
Words = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=100)], Meaning], BeforeValidator(_table)
]
HeaderName = Annotated[str, AfterValidator(_header_name)]
HeaderValue = Annotated[
    SecretText, PlainValidator(_header), PlainSerializer(_hidden, return_type=str)
]
Headers = Annotated[dict[HeaderName, HeaderValue], BeforeValidator(_table), AfterValidator(_once)]
