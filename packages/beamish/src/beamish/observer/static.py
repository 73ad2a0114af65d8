"""Files of a page, which contain no data, and the policy under which a browser shows them.

The observer and the pages of other programs share the files in ``shared/``: the style, elements,
tables, charts, requests and event streams.
"""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePath
from typing import NamedTuple

from starlette.responses import Response

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

# A page shows names, messages and tracebacks from anywhere. Only its own scripts run, a text can
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


class File(NamedTuple):
    """A file of a page.

    Attributes:
        content: Its bytes.
        media_type: Value of the header ``Content-Type``.
    """

    content: bytes
    media_type: str

    def response(self) -> Response:
        """Return the response to a request for the file."""
        headers = {"Content-Security-Policy": POLICY}
        return Response(self.content, media_type=self.media_type, headers=headers)


def load(folder: Traversable) -> dict[str, File]:
    """Return the files of a folder by name; other files, such as an editor's backup, are skipped.

    Loaded once: requests read no disk, and no path can name another file.
    """
    found = ((file, _TYPES.get(PurePath(file.name).suffix)) for file in folder.iterdir())
    return {file.name: File(file.read_bytes(), kind) for file, kind in found if kind}


def with_shared(folder: Traversable) -> dict[str, File]:
    """Return the shared files and those of a page's own folder.

    Raises:
        ValueError: A file of the folder has the name of a shared one.
    """
    own = load(folder)
    if doubles := SHARED.keys() & own.keys():
        names = ", ".join(sorted(doubles))
        raise ValueError(f"files of a page must not have names of shared files; got {names}")
    return SHARED | own


SHARED = load(files("beamish.observer") / "shared")
OBSERVER = with_shared(files("beamish.observer") / "assets")
"""The files of the observer's page."""

PAGE = "index.html"
