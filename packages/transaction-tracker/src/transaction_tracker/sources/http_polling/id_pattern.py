"""Patterns of transaction ids: compile one, and find what an id of it can contain."""

import re
import warnings

ID_PATTERN = "[A-Za-z0-9_-]{1,64}"

# These characters have a meaning in a URL: the API's path of such an id would be another path.
RESERVED = "/?#%"
# The source refuses these and all other characters that are not printable, whatever the pattern.
_CONTROLS = (*map(chr, range(32)), "\x7f")
# A part of a regular expression that matches one character: an escape, a set, or the character.
_PIECE = re.compile(
    r"\\(?:x.{2}|u.{4}|U.{8}|N\{[^}]*\}|[0-7]{2,3}|.)|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL
)


def compiled(pattern: str) -> re.Pattern[str]:
    """Compile the pattern of ids.

    Raises:
        ValueError: The pattern is not a valid regular expression.
    """
    try:
        # Python warns about "[[a-z]", which can become a set operation in a future release.
        with warnings.catch_warnings(action="ignore", category=FutureWarning):
            return re.compile(pattern)
    except (re.error, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(
            f"id_pattern must be a regular expression, got {pattern!r}: {error}"
        ) from None


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
