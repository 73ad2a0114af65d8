"""The observer as an ASGI application."""

import logging
from collections.abc import Iterable
from importlib.metadata import version

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from beamish import telemetry
from beamish._snapshots import actions
from beamish._snapshots.encode import encoded
from beamish._snapshots.pages import Page, checked
from beamish._snapshots.query import QueryError, parse
from beamish._snapshots.recorder import Recorder
from beamish._snapshots.views import VIEWS, Views
from beamish.errors import BeamishError
from beamish.observer.access import Access, check_action, check_token, peer
from beamish.observer.errors import HANDLERS, RequestError
from beamish.observer.feed import EVERY_SECONDS, Feed
from beamish.observer.static import OBSERVER, PAGE
from beamish.observer.streams import EventStream, TraceStream

_log = logging.getLogger("beamish.observer")

# A state is read only once: it is a request to the server, which a stream would repeat.
_STREAMED = tuple(view for view in VIEWS if view not in ("state", "history"))
# Events are counted from the moment when a reader of them is created.
_READ = tuple(view for view in VIEWS if view != "metrics")


class ObserverApp:
    """The observer's pages and API as an ASGI application.

    Mount it into another application, such as ``Mount("/observer", ObserverApp(...))`` of
    Starlette. It shows the processes of the event loop that serves it. An open stream ends when
    its page is closed, or at `close`: call that before the surrounding server stops, or set
    uvicorn's ``timeout_graceful_shutdown``.

    Args:
        token: What a reader must send as ``Authorization: Bearer``; at least 16 characters.
            ``None`` admits requests to ``localhost`` and loopback addresses only.
        allow_actions: Whether readers can kill, stop, restart, suspend, resume and trace processes.
        authenticated: True if the surrounding application has checked every request itself.
        events: Names of the program's own telemetry events that the page Metrics counts, besides
            those of beamish.
        pages: Pages of the application, besides those of the observer.
        home: URL of the surrounding application's page, to which the pages link; relative to the
            path of the observer, such as ``"../"``. Default: no link.

    Raises:
        TypeError: ``token`` is not a string, an event is not a tuple of strings, or a page is not a
            `Page`.
        ValueError: ``token`` is too short, two pages have the same name, or ``home`` is not a path
            or an http(s) URL.
    """

    def __init__(
        self,
        *,
        token: str | None = None,
        allow_actions: bool = False,
        authenticated: bool = False,
        events: Iterable[telemetry.Event] = (),
        pages: Iterable[Page] = (),
        home: str | None = None,
    ) -> None:
        check_token(token)
        _check_home(home)
        self._home = home
        self._allow_actions = allow_actions
        self._recorder = Recorder()
        self._pages = checked(pages, VIEWS)
        self._views = Views(self._recorder, _checked(events), self._pages)
        self._feed = Feed(self._views)
        self._app = Access(self._routes(), token, authenticated)

    def _routes(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/", self._page),
                Route("/assets/{name}", self._asset),
                Route("/api/session", self._session),
                Route("/api/process/{pid}/trace", self._trace, methods=["POST"]),
                Route("/api/process/{pid}/{action}", self._act, methods=["POST"]),
                Route("/api/{view}", self._view),
                Route("/events", self._events),
            ],
            exception_handlers=HANDLERS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        await self._app(scope, receive, send)

    @property
    def viewers(self) -> int:
        """Number of open event streams."""
        return self._feed.viewers

    def begin(self) -> None:
        """Start to record crashes and charts; otherwise the first page that is opened does."""
        self._recorder.begin()

    def close(self) -> None:
        """End every open stream, refuse new ones, and stop recording."""
        self._feed.close()
        self._recorder.end()

    # -- The page

    async def _page(self, _: Request) -> Response:
        return OBSERVER[PAGE].response()

    async def _asset(self, request: Request) -> Response:
        file = OBSERVER.get(request.path_params["name"])
        if file is None:
            raise RequestError(404, "unknown file")
        return file.response()

    # -- Reading

    async def _session(self, _: Request) -> Response:
        facts = {
            "version": version("beamish"),
            "actions": self._allow_actions,
            "trace_seconds": actions.TRACE_SECONDS,
            "every": EVERY_SECONDS,
            "home": self._home,
            "pages": [{"name": page.name, "title": page.title} for page in self._pages.values()],
        }
        return _json(facts)

    async def _view(self, request: Request) -> Response:
        view = request.path_params["view"]
        if view not in _READ:
            raise RequestError(404, f"unknown view {view[:50]!r}; use {', '.join(_READ)}")
        return _json(await self._views.read(view, parse(dict(request.query_params))))

    async def _events(self, request: Request) -> Response:
        parameters = dict(request.query_params)
        view, every = parameters.pop("view", ""), parameters.pop("every", "2")
        if view not in _STREAMED:
            raise QueryError(f"view must be one of {', '.join(_STREAMED)}; got {view[:50]!r}")
        if every not in map(str, EVERY_SECONDS):
            choices = ", ".join(map(str, EVERY_SECONDS))
            raise QueryError(f"every must be one of {choices} seconds; got {every[:50]!r}")
        return EventStream(self._feed, view, parse(parameters), int(every))

    # -- Acting

    async def _act(self, request: Request) -> Response:
        action, pid = request.path_params["action"], request.path_params["pid"]
        self._check_action(request, action)
        who = peer(request)
        try:
            result = await actions.act(action, pid)
        except BeamishError as error:
            _log.warning("observer: %s could not %s process %s: %s", who, action, pid, error)
            raise
        self._recorder.action_count += 1
        _log.warning("observer: %s: %s process %s: %s", who, action, pid, result)
        return _json({"result": result})

    async def _trace(self, request: Request) -> Response:
        self._check_action(request, "trace")
        self._recorder.action_count += 1
        return TraceStream(self._feed, request.path_params["pid"], peer(request))

    def _check_action(self, request: Request, action: str) -> None:
        if not self._allow_actions:
            raise RequestError(
                403, "actions are switched off; start the observer with allow_actions=True"
            )
        check_action(request, action)


def _checked(events: Iterable[telemetry.Event]) -> tuple[telemetry.Event, ...]:
    found = tuple(events)
    for event in found:
        if not isinstance(event, tuple) or not all(isinstance(part, str) for part in event):
            raise TypeError(f"events must be tuples of strings; got {event!r}")
    return found


def _check_home(home: str | None) -> None:
    # A link of the page must never run a script.
    if home is not None and not home.startswith((".", "/", "https://", "http://")):
        raise ValueError(f"home must be a path or an http(s) URL, got {home!r}; use such as '../'")


def _json(value: object) -> Response:
    return Response(encoded(value), media_type="application/json")
