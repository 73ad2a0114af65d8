"""What a reader of snapshots asks for: the view, and which part of it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

SORTS = ("recent", "busy", "handled", "queue", "pid", "class")
"""Columns of the process table that it can be sorted by."""

MAX_ROWS = 1_000
MAX_SEARCH_CHARACTERS = 200
MAX_OPEN_SUPERVISORS = 200


class QueryError(ValueError):
    """A parameter is unknown or has an invalid value; the message says what is expected."""


class UnknownError(LookupError):
    """There is no view or action with this name; the message lists the names."""


@dataclass(frozen=True, slots=True)
class Query:
    """The parameters of a view; each view uses some of them.

    Args:
        sort: One of `SORTS`.
        descending: Whether the largest value comes first.
        limit: Maximum number of rows; in the tree, of children of each supervisor.
        search: Text that a row must contain; upper and lower case are the same.
        pid: The number of a pid, or a local name.
        page: The name of a page of the application.
        open: In the tree, the numbers of the supervisors whose children are shown; ``None`` shows
            as many levels as fit.
    """

    sort: str = "recent"
    descending: bool = True
    limit: int = 100
    search: str = ""
    pid: str = ""
    page: str = ""
    open: tuple[int, ...] | None = None


def parse(parameters: Mapping[str, str]) -> Query:
    """Return the query in the parameters of a URL: ``sort``, ``dir``, ``limit`` and so on.

    Raises:
        QueryError: A parameter is unknown or invalid.
    """
    known = {field.name for field in fields(Query)} - {"descending"} | {"dir"}
    for name in parameters:
        if name not in known:
            raise QueryError(f"unknown parameter {name!r}; use {', '.join(sorted(known))}")
    return Query(
        sort=_choice("sort", parameters.get("sort", "recent"), SORTS),
        descending=_choice("dir", parameters.get("dir", "desc"), ("asc", "desc")) == "desc",
        limit=_number("limit", parameters.get("limit", "100"), 1, MAX_ROWS),
        search=_text("search", parameters.get("search", "")).lower(),
        pid=_text("pid", parameters.get("pid", "")),
        page=_text("page", parameters.get("page", "")),
        open=_pids(parameters["open"]) if "open" in parameters else None,
    )


def _choice(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise QueryError(f"{name} must be one of {', '.join(allowed)}; got {value[:50]!r}")
    return value


def _number(name: str, value: str, minimum: int, maximum: int) -> int:
    if not (value.isascii() and value.isdecimal() and len(value) < 10):
        raise QueryError(f"{name} must be a whole number; got {value[:50]!r}")
    if not minimum <= int(value) <= maximum:
        raise QueryError(f"{name} must be from {minimum} to {maximum:,}; got {value}")
    return int(value)


def _text(name: str, value: str) -> str:
    if len(value) > MAX_SEARCH_CHARACTERS:
        raise QueryError(f"{name} can have {MAX_SEARCH_CHARACTERS} characters; got {len(value):,}")
    return value


def _pids(value: str) -> tuple[int, ...]:
    parts = [part for part in value.split(",") if part]
    if len(parts) > MAX_OPEN_SUPERVISORS:
        raise QueryError(
            f"open can name {MAX_OPEN_SUPERVISORS} supervisors; got {len(parts):,}: close some"
        )
    return tuple(_number("open", part, 0, 10**9) for part in parts)
