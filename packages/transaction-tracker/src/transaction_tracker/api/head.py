"""HEAD requests: the headers of a GET, without its body."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadAnsweredError(Exception):
    """The headers are sent, so the rest of the response is not needed."""


class HeadRequests:
    """Middleware: handle HEAD for each path that has GET.

    Args:
        app: Inner application.

    Source:
        RFC 9110, section 9.3.2: the same headers as for GET, and no content.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_headers(message: Message) -> None:
            await send(message)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            # Ends the route here: an event stream would never end by itself.
            raise HeadAnsweredError

        # A copy, so that the outer middleware logs and counts the method HEAD.
        get = {**scope, "method": "GET"}
        try:
            await self._app(get, receive, send_headers)
        except HeadAnsweredError:
            pass
        finally:
            if "route" in get:
                scope["route"] = get["route"]
