"""The ASGI application: routes and middleware."""

import asyncio
import math
from functools import partial
from importlib.metadata import version

from fastapi import APIRouter, Depends, FastAPI
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute

from beamish.observer.static import POLICY
from transaction_tracker.api import documentation, routes
from transaction_tracker.api.access import Authentication, Tokens, load_tokens
from transaction_tracker.api.answers import answer
from transaction_tracker.api.bodies import Bodies
from transaction_tracker.api.context import ApiContext, CachedValue
from transaction_tracker.api.dashboard import OBSERVER_PATH, add_dashboard
from transaction_tracker.api.description import describe, operation_id
from transaction_tracker.api.error_handlers import handle_errors
from transaction_tracker.api.guard import Guard
from transaction_tracker.api.head import HeadRequests
from transaction_tracker.api.idempotency import Idempotency
from transaction_tracker.api.mounted_observer import MountedObserver
from transaction_tracker.api.options import WebOptions
from transaction_tracker.api.queries import check_query
from transaction_tracker.api.service import Service

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
    handle_errors(app)
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
