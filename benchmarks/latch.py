"""Tells when every cast of a burst has been handled."""

import asyncio


class Latch:
    """Opens when as many arrivals as it was set to have come."""

    def __init__(self) -> None:
        self._left = 0
        self._open: asyncio.Future[None] | None = None

    def set(self, arrivals: int) -> "asyncio.Future[None]":
        """Close for ``arrivals`` arrivals; the future is done after the last of them."""
        self._left = arrivals
        self._open = asyncio.get_running_loop().create_future()
        return self._open

    def arrive(self) -> None:
        """Count one arrival."""
        self._left -= 1
        if not self._left and self._open is not None:
            self._open.set_result(None)


# One for the process: servers are started with an id and nothing else.
LATCH = Latch()
