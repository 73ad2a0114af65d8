"""The dashboard: a static page for operators, which contains no data itself."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import PurePath

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.responses import Response

PAGE = "/"
ASSETS = "/assets/"

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

# The page shows text from outside. Only scripts of this site run, text can never be inserted as
# HTML (trusted types), and the page can send data to no other site.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)


def _load() -> Iterator[tuple[str, tuple[bytes, str]]]:
    for file in (files(__package__) / "assets").iterdir():
        # Skips other files, such as an editor's backup.
        if media_type := _TYPES.get(PurePath(file.name).suffix):
            path = PAGE if file.name == "index.html" else ASSETS + file.name
            yield path, (file.read_bytes(), media_type)


# Loaded once: requests read no disk, and no path can name another file.
FILES = dict(_load())


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
    content, media_type = FILES[path]
    headers = {"Content-Security-Policy": POLICY}
    return Response(content, media_type=media_type, headers=headers)
