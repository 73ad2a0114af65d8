"""Check query parameters: unknown and repeated parameters are errors."""

import difflib
from collections import Counter
from collections.abc import Iterator
from typing import Any, get_origin
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.routing import APIRoute

from transaction_tracker.api.dashboard import FILES
from transaction_tracker.api.problems import ProblemError

# Browsers, proxies and chat programs add their own parameters to the URLs of pages.
PAGES = frozenset(("/docs", *FILES))
_MAX_NAME_CHARACTERS = 40


async def check_query(request: Request) -> None:
    """Raise a problem for unknown or repeated query parameters; a dependency of every route.

    If they were ignored, the response would be wrong without an error: `?sate=confirmed` would
    list transactions in every state.

    Raises:
        ProblemError: A parameter is unknown, or a parameter with a single value is repeated.
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
    """Return the query parameters of a route, and whether each can be repeated."""
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
        return "this path has no query parameters"
    near = difflib.get_close_matches(name[:_MAX_NAME_CHARACTERS].lower(), known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"


def _shown(name: str) -> str:
    """Return a name, cut to a maximum length; only unknown names can be longer."""
    cut = name[:_MAX_NAME_CHARACTERS]
    return cut if cut == name else f"{cut}…"
