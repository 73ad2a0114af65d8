"""The dashboard: one page for operators, and the files that it is made of; none holds data."""

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

# The page shows what strangers sent. Only our own files run, nothing can be written as HTML
# (trusted types), and what it reads can go nowhere else.
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
        # An editor's copy, say, is none of ours.
        if media_type := _TYPES.get(PurePath(file.name).suffix):
            path = PAGE if file.name == "index.html" else ASSETS + file.name
            yield path, (file.read_bytes(), media_type)


# Read once: a request for them touches no disk, and no path leads anywhere else.
FILES = dict(_load())


def add_dashboard(app: FastAPI) -> None:
    """Serve the page and its files; they are no part of the API's description."""
    app.add_api_route(PAGE, page, include_in_schema=False)
    app.add_api_route(ASSETS + "{name}", asset, include_in_schema=False)


async def page() -> Response:
    """Give the page."""
    return _file(PAGE)


async def asset(name: str) -> Response:
    """Give one of its files."""
    return _file(ASSETS + name)


def _file(path: str) -> Response:
    if path not in FILES:
        raise HTTPException(404)
    content, media_type = FILES[path]
    headers = {"Content-Security-Policy": POLICY}
    return Response(content, media_type=media_type, headers=headers)
