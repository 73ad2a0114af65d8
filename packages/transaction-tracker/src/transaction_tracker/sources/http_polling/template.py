"""Addresses with a gap in them, for the ids of transactions or a place in a feed."""

import re
from urllib.parse import quote

from yarl import URL

from transaction_tracker.net import AllowList, checked_url

# What stands in the gap must find room too.
_LONGEST = 1_500
_BRACES = re.compile(r"\{[^{}]*\}|[{}]")


class Template:
    """An address with a gap; prints no more than its host.

    Args:
        text: The address, with the gap in its path or its query.
        gap: What stands for the gap: ``{id}``, ``{ids}`` or ``{cursor}``.
        allowed: What may be asked although it is not public.
        option: What it was given as, for the error.

    Raises:
        ValueError: It is no such address. The message does not repeat it.
    """

    __slots__ = ("_before_and_after", "host", "origin")

    def __init__(self, text: str, gap: str, allowed: AllowList, option: str) -> None:
        if not isinstance(text, str) or len(text) > _LONGEST:
            raise ValueError(f"{option} must be a URL of at most {_LONGEST} characters")
        if _BRACES.findall(text) != [gap]:
            raise ValueError(
                f"{option} must have {gap} in it, once, and no other braces: "
                f"https://host/path/{gap}, for instance"
            )
        self._before_and_after = text.split(gap)
        url = self._check(option, allowed)
        self.host = url.host or ""
        self.origin = str(url.origin())

    def fill(self, text: str) -> str:
        """Put a text into the gap, so that it stays one piece of a path or a query."""
        return quote(text, safe="").join(self._before_and_after)

    def _check(self, option: str, allowed: AllowList) -> URL:
        try:
            url, other = (checked_url(self.fill(text), allowed) for text in ("1", "2"))
        except ValueError as error:
            raise ValueError(f"{option}: {error}") from None
        if url.origin() != other.origin():
            raise ValueError(f"{option} must have the braces after its host")
        return url

    def __str__(self) -> str:
        return f"{self.origin}/…"

    def __repr__(self) -> str:
        return f"Template({str(self)!r})"
