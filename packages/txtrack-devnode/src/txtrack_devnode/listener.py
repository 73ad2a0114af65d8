"""The HTTP port of the development node, which can close and open again."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from yarl import URL

MAX_BODY_BYTES = 5 * 2**20
_SHUTDOWN_SECONDS = 1.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class HttpListener:
    """Listens on one address.

    Args:
        host: Address to listen on.
        port: Port to listen on; 0 chooses a free port, which is used again after `close`.
        post: Handler of JSON-RPC requests over HTTP.
        get: Handler of WebSocket requests.
    """

    def __init__(self, host: str, port: int, *, post: Handler, get: Handler) -> None:
        self._host, self._port = host, port
        self._post, self._get = post, get
        self._runner: web.AppRunner | None = None
        self._url: str | None = None

    @property
    def listening(self) -> bool:
        """Whether the port is open."""
        return self._runner is not None

    @property
    def url(self) -> str:
        """URL of the port, also while it is closed."""
        if self._url is None:
            raise RuntimeError("the node is not running: use it in an 'async with' block")
        return self._url

    async def open(self) -> None:
        """Start listening; no effect if the port is open.

        Raises:
            OSError: The port cannot be opened: ``EADDRINUSE`` for a port in use.
        """
        if self._runner is not None:
            return
        runner = self._runner = web.AppRunner(
            self._application(),
            access_log=None,
            shutdown_timeout=_SHUTDOWN_SECONDS,
            handler_cancellation=True,  # otherwise a hanging request outlives its client
        )
        try:
            await runner.setup()
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError:
            await self.close()
            raise
        host, self._port = runner.addresses[0][:2]
        self._url = str(URL.build(scheme="http", host=host, port=self._port))

    async def close(self, *, at_once: bool = False) -> None:
        """Stop listening; finish running requests, or with ``at_once`` abort all connections."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        if at_once and runner.server is not None:
            for connection in runner.server.connections:
                if connection.transport is not None:
                    connection.transport.abort()
        await runner.cleanup()

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=MAX_BODY_BYTES)
        application.router.add_post("/", self._post)
        application.router.add_get("/", self._get, allow_head=False)
        return application
