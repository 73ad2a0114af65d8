"""Watch a running program in the browser or the terminal; install ``beamish[observer]``.

`Observer` is a child for a supervisor, which serves the pages at an address, a socket for the
terminal, or both. `ObserverApp` is the same as an ASGI application, to mount into another one. A
`Page` adds figures and tables of the program to either.
``python -m beamish top``, ``tree``, ``info`` and ``trace`` attach to either.

When not to use it: for alerts and for history beyond ten minutes; export metrics instead, see
`beamish.exporters`.

Source:
    Erlang's ``observer`` and Elixir's ``Phoenix.LiveDashboard``. Differs: restarts used of those
    allowed, crashes with their tracebacks; actions are off by default.
"""

try:
    import starlette as _starlette  # noqa: F401
    import uvicorn as _uvicorn  # noqa: F401
except ImportError as _error:
    raise ImportError(
        "beamish.observer needs starlette and uvicorn; install beamish[observer]"
    ) from _error

from beamish._snapshots.pages import Page, PageContent, Table
from beamish.observer.app import ObserverApp
from beamish.observer.process import Observer

__all__ = ["Observer", "ObserverApp", "Page", "PageContent", "Table"]
