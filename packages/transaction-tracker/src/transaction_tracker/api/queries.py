"""Query parameters: those that a route does not take are errors, and never ignored."""

import difflib
from collections import Counter
from collections.abc import Iterator
from typing import Any, get_origin
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.routing import APIRoute

from transaction_tracker.api.dashboard import FILES
from transaction_tracker.api.problems import ProblemError

# Browsers, proxies and chat programs add parameters of their own to the addresses of pages.
PAGES = frozenset(("/docs", *FILES))
_MAX_NAME_CHARACTERS = 40


async def check_query(request: Request) -> None:
    """Raise a problem for query parameters that a route does not take; a dependency of every route.

    An ignored parameter gives the wrong answer without a word: `?sate=confirmed` would list
    transactions in every state, and of two `limit` one would be ignored.

    Raises:
        ProblemError: A name is unknown, or one that can have a single value is repeated.
    """
    text = request.scope["query_string"]
    if not text or request.scope["path"] in PAGES:
        return
    given = Counter(name for name, _ in parse_qsl(text.decode("latin-1"), keep_blank_values=True))
    known = dict(_parameters(request.scope["route"]))
    faults = [
        {"detail": detail, "parameter": _shown(name)}
        for name, count in given.items()
        if (detail := _fault(name, count, known))
    ]
    if faults:
        detail = "; ".join(fault["detail"] for fault in faults[:3])
        raise ProblemError(422, detail, kind="invalid-request", errors=faults)


def _parameters(route: APIRoute) -> Iterator[tuple[str, bool]]:
    """List the query parameters of a route, and whether each can be repeated."""
    pending: list[Any] = [route.dependant]
    while pending:
        dependant = pending.pop()
        pending += dependant.dependencies
        for field in dependant.query_params:
            yield field.alias, get_origin(field.field_info.annotation) is list


def _fault(name: str, count: int, known: dict[str, bool]) -> str:
    if name not in known:
        return f"unknown query parameter {_shown(name)!r}; {_hint(name, sorted(known))}"
    if count > 1 and not known[name]:
        return f"{name}: expected one value, got {count}"
    return ""


def _hint(name: str, known: list[str]) -> str:
    if not known:
        return "this path takes none"
    near = difflib.get_close_matches(name[:_MAX_NAME_CHARACTERS].lower(), known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"


def _shown(name: str) -> str:
    """Return a name cut where it gets long: only a wrong one does."""
    cut = name[:_MAX_NAME_CHARACTERS]
    return cut if cut == name else f"{cut}…"
