"""Which problem details an error becomes that a route or FastAPI raises."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.status import HTTP_400_BAD_REQUEST, HTTP_405_METHOD_NOT_ALLOWED

from transaction_tracker.api import routes
from transaction_tracker.api.problems import ProblemError, not_json, response
from transaction_tracker.api.validation import described
from transaction_tracker.domain import (
    AmbiguousIdError,
    EndedError,
    InvalidTransactionError,
    NotTrackedError,
    ParkedError,
    UnknownSourceError,
)

_DETAILS = {
    404: "unknown path; /docs and /openapi.json list the paths",
    405: "method not allowed; see the Allow header",
}


def handle_errors(app: FastAPI) -> None:
    """Answer errors of requests with problem details; any other error is a bug of the service."""
    for kind, to_problem in _PROBLEMS.items():
        app.add_exception_handler(kind, partial(_answer, to_problem))
    app.add_exception_handler(ProblemError, partial(_answer, lambda error: error))
    app.add_exception_handler(HTTPException, _answer_http)


async def _answer(
    to_problem: Callable[[Any], ProblemError], request: Request, error: Exception
) -> Response:
    return response(to_problem(error), request.state.request_id)


async def _answer_http(request: Request, error: Any) -> Response:
    """Answer an error that FastAPI or Starlette raises: the path, the method or the body."""
    headers = dict(error.headers or {})
    if error.status_code == HTTP_400_BAD_REQUEST:
        # FastAPI raises 400 only if the body is not text or contains a too long number.
        return response(not_json("it cannot be decoded"), request.state.request_id)
    if error.status_code == HTTP_405_METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_methods(request)) or headers["Allow"]
    detail = _DETAILS.get(error.status_code) or error.detail
    found = ProblemError(error.status_code, detail, headers=headers)
    return response(found, request.state.request_id)


def _methods(request: Request) -> list[str]:
    """Return the methods of all routes of the request's path."""
    found = (
        route.methods or ()
        for router in routes.ROUTERS
        for route in router.routes
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
    )
    methods = {method for methods in found for method in methods}
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)


def _not_tracked(error: NotTrackedError) -> ProblemError:
    detail = f"{error.id} is not tracked; register it with POST /v1/transactions"
    return ProblemError(404, detail, kind="not-tracked")


def _invalid_transaction(error: InvalidTransactionError) -> ProblemError:
    fault = {"detail": str(error), "parameter": "id"}
    return ProblemError(422, str(error), kind="invalid-transaction", errors=[fault])


def _ambiguous_id(error: AmbiguousIdError) -> ProblemError:
    fault = {"detail": str(error), "parameter": "id", "candidates": list(error.candidates)}
    return ProblemError(409, str(error), kind="ambiguous-id", errors=[fault])


def _conflict(error: Exception, kind: str) -> ProblemError:
    return ProblemError(409, str(error), kind=kind)


def _invalid_request(error: RequestValidationError) -> ProblemError:
    found: Sequence[Any] = error.errors()
    if any(error["type"] == "json_invalid" for error in found):
        cause, place = found[0]["ctx"]["error"], found[0]["loc"][-1]
        return not_json(f"{cause} at character {place}")
    details = [_error_detail(error) for error in found]
    text = "; ".join(detail["detail"] for detail in details[:3])
    return ProblemError(422, text, kind="invalid-request", errors=details)


def _error_detail(error: Any) -> dict[str, str]:
    """Return the location and the message of an error, without the value.

    The value can be long or secret.
    """
    place, *steps = (str(step) for step in error["loc"])
    if place == "body":
        pointer = "/".join(("#", *(step.replace("~", "~0").replace("/", "~1") for step in steps)))
        return {"detail": described(error), "pointer": pointer}
    name = "/".join(steps)
    kind = "header" if place == "header" else "parameter"
    return {"detail": f"{name}: {described(error)}", kind: name}


_PROBLEMS: Mapping[type[Exception], Callable[[Any], ProblemError]] = {
    RequestValidationError: _invalid_request,
    NotTrackedError: _not_tracked,
    InvalidTransactionError: _invalid_transaction,
    AmbiguousIdError: _ambiguous_id,
    UnknownSourceError: partial(_conflict, kind="not-followed"),
    EndedError: partial(_conflict, kind="ended"),
    ParkedError: partial(_conflict, kind="parked"),
}
