"""Event streams: one reading of a view, encoded once, for all of its viewers."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from beamish._runtime.runtime import running
from beamish._snapshots.encode import encoded
from beamish._snapshots.query import Query
from beamish._snapshots.views import Reader, Views
from beamish.observer.errors import EXPECTED, RequestError

MAX_VIEWERS = 32
"""Event streams that can be open at a time."""

EVERY_SECONDS = (1, 2, 5, 15)
"""Intervals between two snapshots that a viewer can choose."""

_log = logging.getLogger("beamish.observer")
_Key: TypeAlias = tuple[str, Query, int]


def frame(event: str, data: object) -> bytes:
    """Return one server-sent event; JSON contains no line break."""
    return b"event: %b\ndata: %b\n\n" % (event.encode(), encoded(data))


class Viewer:
    """The events for one stream; of a viewer that reads slowly, only the newest is kept."""

    def __init__(self) -> None:
        self._frame = b""
        self._ready = asyncio.Event()
        self.ended: bool = False  # whether the last event is offered
        self.sent_last: bool = False

    def offer(self, data: bytes, *, last: bool = False) -> None:
        """Replace the event that waits to be sent, unless that is the last one."""
        if self.ended:
            return
        self._frame, self.ended = data, last
        self._ready.set()

    async def next(self) -> bytes:
        """Wait for the next event."""
        await self._ready.wait()
        self._ready.clear()
        self.sent_last = self.ended
        return self._frame


class Feed:
    """The open streams of one observer.

    Args:
        views: What they show.
    """

    def __init__(self, views: Views) -> None:
        self._views = views
        self._channels: dict[_Key, _Channel] = {}
        self._viewers: set[Viewer] = set()
        self._closed = False

    @property
    def viewers(self) -> int:
        """Number of open streams."""
        return len(self._viewers)

    @contextmanager
    def stream(self, view: str, query: Query, every: int) -> Iterator[Viewer]:
        """Return a viewer of a view within a block.

        Args:
            view: The name of the view.
            query: Its parameters.
            every: Seconds between two snapshots.

        Raises:
            RequestError: There are too many streams, or the observer stops.
            UnknownError: There is no such view.
        """
        with self.viewer() as viewer:
            channel = self._channel((view, query, every))
            channel.join(viewer)
            try:
                yield viewer
            finally:
                channel.leave(viewer)

    def _channel(self, key: _Key) -> "_Channel":
        view, query, every = key
        channel = self._channels.get(key)
        if channel is None or channel.ended:
            reader = self._views.reader(view, query)
            channel = self._channels[key] = _Channel(reader, every)
            channel.on_end = lambda: self._forget(key, channel)
        return channel

    def _forget(self, key: _Key, channel: "_Channel") -> None:
        if self._channels.get(key) is channel:
            del self._channels[key]

    @contextmanager
    def viewer(self) -> Iterator[Viewer]:
        """Return a viewer that gets only the ``bye`` of the observer, within a block."""
        if self._closed:
            raise RequestError(503, "the observer stops", {"Retry-After": "1"})
        if len(self._viewers) >= MAX_VIEWERS:
            raise RequestError(
                503, f"{MAX_VIEWERS} streams are open; close a page", {"Retry-After": "10"}
            )
        viewer = Viewer()
        self._viewers.add(viewer)
        try:
            yield viewer
        finally:
            self._viewers.discard(viewer)

    def close(self) -> None:
        """Send ``bye`` to every viewer, and refuse new ones."""
        self._closed = True
        for viewer in self._viewers:
            viewer.offer(frame("bye", {}), last=True)


class _Channel:
    """Reads one view at intervals as long as it has viewers.

    Args:
        reader: Reads the view.
        every: Seconds between two readings.

    Attributes:
        on_end: Called when the last viewer has left, or the process that is shown has exited.
        ended: Whether that has happened.
    """

    on_end: Callable[[], object]

    def __init__(self, reader: Reader, every: int) -> None:
        self.ended = False
        self._reader = reader
        self._every = every
        self._viewers: set[Viewer] = set()
        self._latest: bytes | None = None
        runtime = running()
        # The empty context: this task outlives the request that happens to be the first.
        self._task = runtime.loop.create_task(self._run(), context=runtime.context)

    def join(self, viewer: Viewer) -> None:
        self._viewers.add(viewer)
        if self._latest is not None:
            viewer.offer(self._latest)

    def leave(self, viewer: Viewer) -> None:
        self._viewers.discard(viewer)
        if not self._viewers:
            self._task.cancel()
            self._end()

    def _end(self) -> None:
        if not self.ended:
            self.ended = True
            self._reader.close()
            self.on_end()

    async def _run(self) -> None:
        while True:
            try:
                self._latest = frame("snapshot", await self._reader.read())
            except EXPECTED as error:  # such as NoProcessError: the process has exited
                self._finish(str(error))
                return
            except Exception:
                _log.exception("the observer could not read a view")
                self._finish("the view could not be read; the log says why")
                return
            for viewer in self._viewers:
                viewer.offer(self._latest)
            await asyncio.sleep(self._every)

    def _finish(self, error: str) -> None:
        # A later viewer starts with a channel of its own: what failed now can succeed then.
        self._end()
        for viewer in self._viewers:
            viewer.offer(frame("gone", {"error": error}), last=True)
