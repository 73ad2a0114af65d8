"""Wake long polls and event streams when events are stored."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from transaction_tracker.store import Stored


class EventSignals:
    """Signals for long polls (one transaction) and event streams (all events).

    A signal carries no event: the woken request reads the store, so no event can be lost. Without
    waiting requests, a commit costs one check.
    """

    def __init__(self) -> None:
        self.closed: bool = False
        self._streams: set[asyncio.Event] = set()
        self._waiters: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def announce(self, stored: Stored) -> None:
        """Set the signals of a commit. The application calls this after each commit."""
        if stored.events:
            for signal in self._streams:
                signal.set()
        if self._waiters:
            for tracked in stored.rows:
                for signal in self._waiters.get(tracked.key, ()):
                    signal.set()

    def open(self) -> None:
        """Allow requests to wait, at the start and after a restart of the API."""
        self.closed = False

    def close(self) -> None:
        """Wake all waiting requests, because the API stops."""
        self.closed = True
        polls = (signal for signals in self._waiters.values() for signal in signals)
        for signal in (*self._streams, *polls):
            signal.set()

    @contextmanager
    def stream(self) -> Iterator[asyncio.Event]:
        """Yield a signal that is set when events are stored."""
        signal = asyncio.Event()
        self._streams.add(signal)
        try:
            yield signal
        finally:
            self._streams.discard(signal)

    @contextmanager
    def waiting(self, transaction: str) -> Iterator[asyncio.Event]:
        """Yield a signal that is set when ``transaction`` changes in the store."""
        signal = asyncio.Event()
        self._waiters[transaction].add(signal)
        try:
            yield signal
        finally:
            self._waiters[transaction].discard(signal)
            if not self._waiters[transaction]:
                del self._waiters[transaction]
