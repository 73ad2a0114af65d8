"""The ASGI application: routes and middleware."""

import asyncio
import math
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.status import HTTP_400_BAD_REQUEST, HTTP_405_METHOD_NOT_ALLOWED

from beamish.observer.static import POLICY
from transaction_tracker.api import documentation, routes
from transaction_tracker.api.access import Authentication, Tokens, load_tokens
from transaction_tracker.api.answers import answer
from transaction_tracker.api.bodies import Bodies
from transaction_tracker.api.context import ApiContext, CachedValue
from transaction_tracker.api.dashboard import OBSERVER_PATH, add_dashboard
from transaction_tracker.api.description import describe, operation_id
from transaction_tracker.api.guard import Guard
from transaction_tracker.api.head import HeadRequests
from transaction_tracker.api.idempotency import Idempotency
from transaction_tracker.api.mounted_observer import MountedObserver
from transaction_tracker.api.options import WebOptions
from transaction_tracker.api.problems import ProblemError, not_json, response
from transaction_tracker.api.queries import check_query
from transaction_tracker.api.service import Service
from transaction_tracker.api.validation import described
from transaction_tracker.domain import (
    AmbiguousIdError,
    EndedError,
    InvalidTransactionError,
    NotTrackedError,
    ParkedError,
    UnknownSourceError,
)

DESCRIPTION = """Track money transactions until their state is final.

Errors are problem details (RFC 9457). Lists have pages: send a page's `next` to get the next page.
A POST repeated with the same `Idempotency-Key` within 24 hours returns the stored response."""

_DEPENDENCIES = (Depends(check_query),)


def _routes() -> list[BaseRoute]:
    router = APIRouter(dependencies=_DEPENDENCIES, generate_unique_id_function=operation_id)
    for part in routes.ROUTERS:
        router.include_router(part)
    return router.routes


# All applications of the process share the routes: FastAPI builds the routes of an included router
# again for each application that includes it.
_ROUTES = _routes()


def create_app(
    service: Service,
    options: WebOptions | None = None,
    observer: MountedObserver | None = None,
) -> FastAPI:
    """Return the ASGI application, which needs the running tracker application.

    Args:
        service: The parts of the tracker application that the API uses.
        options: Limits of the API. ``host`` decides whether requests without a token are allowed.
        observer: The observer, whose owner closes it before the API stops. Default: none.
    """
    options = options or WebOptions()
    app = FastAPI(
        title="Transaction tracker",
        version=version("transaction-tracker"),
        description=DESCRIPTION,
        # FastAPI's own pages load scripts from another site.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        dependencies=_DEPENDENCIES,
    )
    tokens = Tokens(load_tokens)
    app.state.context = ApiContext(service, options, tokens)
    app.router.routes.extend(_ROUTES)
    add_dashboard(app)
    if observer is not None:
        app.mount(OBSERVER_PATH, observer.guarded(tokens))
    _handle_errors(app)
    _add_middleware(app, options, tokens, service)
    _describe(app, service)
    return app


def _describe(app: FastAPI, service: Service) -> None:
    # Takes a tenth of a second: done once, and in a thread so that it does not block the loop.
    write = partial(describe, app, service.id_pattern, routes.SECRET_ANSWERS)
    description = CachedValue(math.inf, partial(asyncio.to_thread, write))

    async def render() -> str:
        return await asyncio.to_thread(documentation.page, await description())

    page = CachedValue(math.inf, render)

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> Response:
        return answer(await description())

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(await page(), headers={"Content-Security-Policy": POLICY})


def _add_middleware(app: FastAPI, options: WebOptions, tokens: Tokens, service: Service) -> None:
    # From the innermost to the outermost. Authentication is outside of Bodies, so a client without
    # a token cannot make the service read a body.
    app.add_middleware(HeadRequests)
    app.add_middleware(Idempotency, excluded=routes.SECRET_ANSWERS)
    app.add_middleware(Bodies, max_bytes=options.max_body_bytes, seconds=options.body_seconds)
    app.add_middleware(
        Authentication, is_local=options.is_local, tokens=tokens, max_failures=options.max_failures
    )
    app.add_middleware(
        Guard,
        max_requests=options.max_requests,
        send_seconds=options.send_seconds,
        max_headers_bytes=options.max_headers_bytes,
        owned_for=service.owned_for,
        shard=service.shard,
    )


def _handle_errors(app: FastAPI) -> None:
    @app.exception_handler(ProblemError)
    async def problem(request: Request, error: ProblemError) -> Response:
        return response(error, request.state.request_id)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return response(_invalid(error.errors()), request.state.request_id)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        headers = dict(error.headers or {})
        if error.status_code == HTTP_400_BAD_REQUEST:
            # FastAPI raises 400 only if the body is not text or contains a too long number.
            return response(not_json("it cannot be decoded"), request.state.request_id)
        if error.status_code == HTTP_405_METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(_methods(request)) or headers["Allow"]
        detail = _DETAILS.get(error.status_code, error.detail)
        found = ProblemError(error.status_code, detail, headers=headers)
        return response(found, request.state.request_id)

    @app.exception_handler(NotTrackedError)
    async def not_tracked(request: Request, error: NotTrackedError) -> Response:
        detail = f"{error.id} is not tracked; register it with POST /v1/transactions"
        return response(ProblemError(404, detail, kind="not-tracked"), request.state.request_id)

    @app.exception_handler(InvalidTransactionError)
    async def invalid_id(request: Request, error: InvalidTransactionError) -> Response:
        fault = {"detail": str(error), "parameter": "id"}
        found = ProblemError(422, str(error), kind="invalid-transaction", errors=[fault])
        return response(found, request.state.request_id)

    @app.exception_handler(UnknownSourceError)
    async def not_followed(request: Request, error: UnknownSourceError) -> Response:
        found = ProblemError(409, str(error), kind="not-followed")
        return response(found, request.state.request_id)

    @app.exception_handler(EndedError)
    async def ended(request: Request, error: EndedError) -> Response:
        return response(ProblemError(409, str(error), kind="ended"), request.state.request_id)

    @app.exception_handler(AmbiguousIdError)
    async def ambiguous(request: Request, error: AmbiguousIdError) -> Response:
        fault = {
            "detail": str(error),
            "parameter": "id",
            "candidates": list(error.candidates),
        }
        found = ProblemError(409, str(error), kind="ambiguous-id", errors=[fault])
        return response(found, request.state.request_id)

    @app.exception_handler(ParkedError)
    async def parked(request: Request, error: ParkedError) -> Response:
        return response(ProblemError(409, str(error), kind="parked"), request.state.request_id)


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


_DETAILS = {
    404: "unknown path; /docs and /openapi.json list the paths",
    405: "method not allowed; see the Allow header",
}


def _invalid(found: Sequence[Any]) -> ProblemError:
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
