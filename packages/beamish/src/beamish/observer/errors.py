"""Errors of requests, and their responses."""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from beamish._snapshots.actions import ActionError
from beamish._snapshots.encode import encoded
from beamish._snapshots.query import QueryError, UnknownError
from beamish.errors import BeamishError, CallTimeoutError, NoProcessError


class RequestError(Exception):
    """A request that gets an error as its response.

    Args:
        status: The HTTP status.
        detail: What is wrong, and what to do.
        headers: Further headers of the response.
    """

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.headers: dict[str, str] = headers or {}


_STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (QueryError, 422),
    (NoProcessError, 404),
    (CallTimeoutError, 504),
    (ActionError, 409),
    (BeamishError, 409),
    (UnknownError, 404),
)
"""Errors that a request can cause, and the status of the response."""

EXPECTED = tuple(kind for kind, _ in _STATUSES)


async def failed(_: Request, error: Exception) -> Response:
    """Return the response for an error, as JSON with the key ``error``."""
    headers: dict[str, str] = {}
    if isinstance(error, RequestError):
        status, text, headers = error.status, str(error), error.headers
    elif isinstance(error, HTTPException):
        status, text = error.status_code, error.detail
    else:
        status = next(number for kind, number in _STATUSES if isinstance(error, kind))
        text = str(error)
    return Response(encoded({"error": text}), status, headers, "application/json")


HANDLERS: dict[Any, Any] = dict.fromkeys((RequestError, HTTPException, *EXPECTED), failed)
"""The handlers for Starlette."""
