"""The input of a stream: a sync or async iterable, read one element at a time."""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
    Iterator,
)
from typing import Any, Final

PENDING: Final = object()
END: Final = object()


def check_iterable(elements: object) -> None:
    """Raise `TypeError` if ``elements`` is not an iterable."""
    if not isinstance(elements, Iterable | AsyncIterable):
        raise TypeError(f"a stream needs an iterable, sync or async; got {elements!r}")


class StreamSource:
    """The elements of one iterable.

    `close` closes what the stream has opened, which is the iterator of an iterable, and generators,
    whose ``finally`` blocks would otherwise run at any later time. An iterator with a ``close`` of
    its own, such as a file or a socket's stream, was opened by the caller and stays open.

    Args:
        elements: The iterable.
        ring: Called when a `PENDING` element has arrived.
    """

    def __init__(
        self, elements: Iterable[Any] | AsyncIterable[Any], ring: Callable[[], None]
    ) -> None:
        self._ring = ring
        self._sync: Iterator[Any] | None = None
        self._async: AsyncIterator[Any] | None = None
        self._pull: asyncio.Task[Any] | None = None
        self.exhausted = False
        if isinstance(elements, AsyncIterable):
            self._async = aiter(elements)
            opened = self._async is not elements
            self._closes = opened or isinstance(elements, AsyncGenerator)
        else:
            self._sync = iter(elements)
            self._closes = self._sync is not elements or isinstance(elements, Generator)

    def take(self) -> Any:
        """Return the next element, `PENDING` while an async iterable computes it, or `END`."""
        element = next(self._sync, END) if self._sync is not None else self._take_async()
        if element is END:
            self.exhausted = True
        return element

    def _take_async(self) -> Any:
        if self._pull is None:
            self._pull = asyncio.Task(self._next(), loop=asyncio.get_running_loop())
            self._pull.add_done_callback(lambda _: self._ring())
        if not self._pull.done():
            return PENDING
        pulled, self._pull = self._pull, None
        return pulled.result()

    async def _next(self) -> Any:
        assert self._async is not None  # noqa: S101 - called for async iterables only
        return await anext(self._async, END)

    async def close(self) -> None:
        """Stop reading, and close the iterator if the stream has to."""
        pull, self._pull = self._pull, None
        if pull is not None:
            pull.cancel()
            await asyncio.wait([pull])
            if not pull.cancelled():
                pull.exception()  # retrieved, so that asyncio does not log it
        if not self._closes:
            return
        close, aclose = getattr(self._sync, "close", None), getattr(self._async, "aclose", None)
        if close is not None:
            close()
        if aclose is not None:
            await aclose()
