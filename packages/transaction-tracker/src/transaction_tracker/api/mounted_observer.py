"""The observer of the program's processes, mounted in the API for tokens with the scope admin."""

from starlette.types import Message, Receive, Scope, Send

from beamish.observer import ObserverApp
from transaction_tracker.api.access import Principal, Tokens
from transaction_tracker.api.problems import ProblemError


class RevokedError(Exception):
    """The token of a long response is no longer valid."""


class MountedObserver:
    """The observer as an ASGI application, which only reads.

    Its authentication is the API's: the middleware has stored the client of the request.
    """

    def __init__(self) -> None:
        self._app = ObserverApp(authenticated=True, home="../")

    def begin(self) -> None:
        """Start to record crashes and charts."""
        self._app.begin()

    def close(self) -> None:
        """End the open streams, and stop recording."""
        self._app.close()

    def guarded(self, tokens: Tokens) -> "GuardedObserver":
        """Return the application that checks the scope of each request.

        Args:
            tokens: Tokens in the database.
        """
        return GuardedObserver(self._app, tokens)


class GuardedObserver:
    """Middleware: admit requests with the scope admin, as long as their token is valid.

    Args:
        app: The observer.
        tokens: Tokens in the database.
    """

    def __init__(self, app: ObserverApp, tokens: Tokens) -> None:
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request.

        Raises:
            ProblemError: The token lacks the scope admin.
        """
        principal: Principal | None = scope["state"].get("principal")
        if principal is None:  # a file of the page
            await self._app(scope, receive, send)
            return
        if not principal.allows("admin"):
            raise ProblemError(403, "the token must have the scope 'admin'", kind="scope")

        async def send_while_valid(message: Message) -> None:
            # A stream can be open for days: a revoked token must end it.
            if message.get("more_body") and not await self._tokens.accept(principal):
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                raise RevokedError
            await send(message)

        try:
            await self._app(scope, receive, send_while_valid)
        except RevokedError:
            return
