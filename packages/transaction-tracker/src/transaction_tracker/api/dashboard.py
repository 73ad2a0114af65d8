"""The dashboard: a static page for operators, which contains no data itself."""

from importlib.resources import files

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.responses import Response

from beamish.observer.static import OBSERVER, File, with_shared
from beamish.observer.static import PAGE as INDEX

PAGE = "/"
ASSETS = "/assets/"
OBSERVER_PATH = "/observer"


def _paths(found: dict[str, File], under: str = "") -> dict[str, File]:
    return {
        f"{under}{PAGE if name == INDEX else ASSETS + name}": file for name, file in found.items()
    }


FILES = _paths(with_shared(files("transaction_tracker.api") / "assets"))
"""The files of the page, by the path at which they are served."""

OBSERVER_PATHS = frozenset(_paths(OBSERVER, OBSERVER_PATH))
"""The paths of the files of the observer's page."""


def add_dashboard(app: FastAPI) -> None:
    """Add the routes of the page and its files, which are not in the OpenAPI description."""
    app.add_api_route(PAGE, page, include_in_schema=False)
    app.add_api_route(ASSETS + "{name}", asset, include_in_schema=False)


async def page() -> Response:
    """Return the page."""
    return _file(PAGE)


async def asset(name: str) -> Response:
    """Return one of the page's files."""
    return _file(ASSETS + name)


def _file(path: str) -> Response:
    if path not in FILES:
        raise HTTPException(404)
    return FILES[path].response()
