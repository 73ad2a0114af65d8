"""The process that serves the observer: starts last and stops first."""

import asyncio
import logging
import socket as sockets_of_python
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from beamish import telemetry
from beamish._snapshots.pages import Page
from beamish.child_spec import ChildSpec
from beamish.gen_server import call
from beamish.observer.access import Token, check_token, is_loopback
from beamish.observer.app import ObserverApp
from beamish.observer.server import HttpServer
from beamish.observer.serving import HttpServerProcess, url_of
from beamish.observer.sockets import bind_local, bind_tcp, remove
from beamish.pid import Name

PORT = 4000

_SHUTDOWN_SECONDS = 10.0
_log = logging.getLogger("beamish.observer")


class Observer(HttpServerProcess, shutdown=_SHUTDOWN_SECONDS):
    """Serve the observer from within the program that it shows.

    ``Observer.child_spec(...)`` takes these arguments; put it last into the tree, so that it stops
    first. It shows the processes of its own event loop.

    Args:
        host: The address to listen on; ``None`` serves no browser, only ``socket``.
        port: The port; 0 chooses a free one.
        token: What a reader must send; needed for any ``host`` but a loopback address. At least 16
            characters.
        socket: Path of a local socket for ``python -m beamish top``, which this user and root can
            open without a token; ``None`` opens none.
        allow_actions: Whether readers can kill, stop, restart, suspend, resume and trace processes.
        events: Names of the program's own telemetry events that the page Metrics counts.
        pages: Pages of the program, besides those of the observer.

    Raises:
        StartError: At the start: an argument is not valid (``ValueError``, ``TypeError``), or the
            address or path cannot be used (``OSError``).
    """

    def __init__(
        self,
        *,
        host: str | None = "127.0.0.1",
        port: int = PORT,
        token: str | None = None,
        socket: str | Path | None = None,
        allow_actions: bool = False,
        events: Iterable[telemetry.Event] = (),
        pages: Iterable[Page] = (),
    ) -> None:
        _check(host, port, token, socket)
        super().__init__(_SHUTDOWN_SECONDS - 1.0)
        self._app = ObserverApp(
            token=token, allow_actions=allow_actions, events=events, pages=pages
        )
        self._host, self._port = host, port
        self._path = None if socket is None else Path(socket)
        self._url: str | None = None
        self._listening: list[sockets_of_python.socket] = []
        self._inode = 0  # of the local socket, which `release` removes

    async def init(self) -> None:
        """Listen, begin to record, and wait until the server runs."""
        try:
            if self._host is not None:
                self._listening.append(bind_tcp(self._host, self._port))
                self._url = f"{url_of(self._listening[0])}/"
            if self._path is not None:
                self._listening.append(bind_local(self._path))
                self._inode = self._path.lstat().st_ino
            self._app.begin()
            self.serve(HttpServer(self._app), self._listening)
            async with asyncio.timeout(_SHUTDOWN_SECONDS):
                await self.serving.wait()
        except BaseException:
            self.release()
            raise
        _log.info("observer: listening at %s", " and ".join(self._places()))

    def _places(self) -> list[str]:
        return [str(place) for place in (self._url, self._path) if place is not None]

    @classmethod
    def child_spec(  # type: ignore[override] # hides the token
        cls, *, token: str | None = None, name: Name | None = None, **options: Any
    ) -> ChildSpec:
        """Return how a supervisor starts the observer; its ``repr`` hides the token.

        Args:
            token: See `Observer`.
            name: Its local name or via name.
            options: The other arguments of `Observer`.
        """
        check_token(token)
        hidden = None if token is None else Token(token)
        return super().child_spec(token=hidden, name=name, **options)

    @call
    def url(self) -> str | None:
        """Return the URL of the pages, such as ``http://127.0.0.1:4000/``, or ``None``."""
        return self._url

    def release(self) -> None:
        """End the streams and the recording, and remove the local socket."""
        self._app.close()
        for sock in self._listening:
            sock.close()
        if self._path is not None:
            remove(self._path, self._inode)


def _check(host: str | None, port: int, token: str | None, socket: str | Path | None) -> None:
    if host is None and socket is None:
        raise ValueError("an observer needs a host, a socket, or both; got neither")
    if host is not None and not isinstance(host, str):
        raise TypeError(f"host must be a string or None; got {host!r}")
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= 65_535:
        raise ValueError(f"port must be a whole number from 0 to 65535; got {port!r}")
    if socket is not None and not isinstance(socket, str | Path):
        raise TypeError(f"socket must be a path or None; got {socket!r}")
    check_token(token)
    if host is not None and token is None and not is_loopback(host):
        raise ValueError(
            f"{host} is reachable from other machines, which needs a token; give one, such as that "
            "of secrets.token_urlsafe(), or listen on 127.0.0.1"
        )
