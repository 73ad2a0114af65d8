"""HEAD: the headers of a GET, without its body."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadAnsweredError(Exception):
    """The headers are sent: nothing more of the answer is needed."""


class Head:
    """Answer HEAD wherever GET is answered.

    Args:
        app: Answers GET.

    Source:
        RFC 9110, section 9.3.2: the same headers as for GET, and no content.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_headers(message: Message) -> None:
            await send(message)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            # Ends what would go on after the headers: a stream of events has no end.
            raise HeadAnsweredError

        # The outer layers log and count the method that came.
        asked = {**scope, "method": "GET"}
        try:
            await self._app(asked, receive, send_headers)
        except HeadAnsweredError:
            pass
        finally:
            if "route" in asked:
                scope["route"] = asked["route"]
