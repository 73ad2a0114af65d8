"""The page: static files, which contain no data."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import PurePath

from starlette.requests import Request
from starlette.responses import Response

from beamish.observer.errors import RequestError

_PAGE = "index.html"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

# The page shows names, messages and tracebacks from anywhere. Only its own scripts run, a text can
# never become HTML (trusted types), and no request leaves this origin.
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
            yield file.name, (file.read_bytes(), media_type)


# Loaded once: requests read no disk, and no path can name another file.
FILES = dict(_load())


async def page(_: Request) -> Response:
    """Return the page."""
    return _file(_PAGE)


async def asset(request: Request) -> Response:
    """Return one of the page's files."""
    return _file(request.path_params["name"])


def _file(name: str) -> Response:
    if name not in FILES:
        raise RequestError(404, "unknown file")
    content, media_type = FILES[name]
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
    return Response(content, media_type=media_type, headers=headers)
