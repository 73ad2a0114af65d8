"""URLs with a placeholder for transaction ids or a feed's cursor."""

import re
from urllib.parse import quote

from yarl import URL

from transaction_tracker.net import AllowList, ForbiddenUrlError, checked_url

# Less than the limit for a complete URL, because the placeholder's text needs room too.
_MAX_TEMPLATE_CHARACTERS = 1_500
_BRACES = re.compile(r"\{[^{}]*\}|[{}]")


class Template:
    """A URL with a placeholder; ``str`` and ``repr`` show only its host.

    Args:
        text: The URL, with the placeholder in its path or its query.
        placeholder: ``{id}``, ``{ids}`` or ``{cursor}``.
        allowed: Exceptions to the rule that only public hosts are allowed.
        option: Name of the option, for the error.

    Raises:
        ValueError: The URL is invalid or not allowed. The message does not repeat it.
    """

    __slots__ = ("_before_and_after", "host", "origin")

    def __init__(self, text: str, placeholder: str, allowed: AllowList, option: str) -> None:
        if not isinstance(text, str) or len(text) > _MAX_TEMPLATE_CHARACTERS:
            raise ValueError(
                f"{option} must be a URL of at most {_MAX_TEMPLATE_CHARACTERS} characters"
            )
        if _BRACES.findall(text) != [placeholder]:
            raise ValueError(
                f"{option} must contain {placeholder} exactly once, and no other braces, such as "
                f"https://host/path/{placeholder}"
            )
        self._before_and_after = text.split(placeholder)
        url = self._check(option, allowed)
        self.host: str = url.host or ""
        self.origin: str = str(url.origin())

    def fill(self, text: str) -> str:
        """Return the URL with the text, percent-encoded, in place of the placeholder."""
        return quote(text, safe="").join(self._before_and_after)

    def _check(self, option: str, allowed: AllowList) -> URL:
        try:
            url, other = (checked_url(self.fill(text), allowed) for text in ("1", "2"))
        except ForbiddenUrlError as error:
            message = f"{option}: {error}"
            raise ForbiddenUrlError(message, can_be_allowed=error.can_be_allowed) from None
        except ValueError as error:
            raise ValueError(f"{option}: {error}") from None
        if url.origin() != other.origin():
            raise ValueError(f"{option} must have its placeholder after the host")
        return url

    def __str__(self) -> str:
        return f"{self.origin}/…"

    def __repr__(self) -> str:
        return f"Template({str(self)!r})"
