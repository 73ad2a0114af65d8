"""The dashboard: a static page for operators, which contains no data itself."""

from importlib.resources import files

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.responses import Response

from beamish.observer.static import PAGE as INDEX
from beamish.observer.static import File, load

PAGE = "/"
ASSETS = "/assets/"


def _paths(found: dict[str, File]) -> dict[str, File]:
    return {PAGE if name == INDEX else ASSETS + name: file for name, file in found.items()}


FILES = _paths(load(files(__package__) / "assets"))
"""The files of the page, by the path at which they are served."""


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
