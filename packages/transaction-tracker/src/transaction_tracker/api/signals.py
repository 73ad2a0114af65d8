"""Waking those who wait for something to be stored."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from transaction_tracker.store import Stored


class Feed:
    """Whoever waits for events, of one transaction or of all, and the end of waiting.

    It carries no events: who is woken reads them from the store, where none is ever
    lost. Costs one check for each commit while nobody waits.
    """

    def __init__(self) -> None:
        self.closed = False
        self._streams: set[asyncio.Event] = set()
        self._waiters: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def announce(self, stored: Stored) -> None:
        """Wake those whom this concerns; for the application, after each commit."""
        if stored.events:
            for signal in self._streams:
                signal.set()
        if self._waiters:
            for tracked in stored.rows:
                for signal in self._waiters.get(tracked.id, ()):
                    signal.set()

    def open(self) -> None:
        """Let others wait, after a restart too."""
        self.closed = False

    def close(self) -> None:
        """Wake all, for the last time: the program stops."""
        self.closed = True
        for signal in (*self._streams, *(one for many in self._waiters.values() for one in many)):
            signal.set()

    @contextmanager
    def stream(self) -> Iterator[asyncio.Event]:
        """Give a signal that is set when there are new events, while the block lasts."""
        signal = asyncio.Event()
        self._streams.add(signal)
        try:
            yield signal
        finally:
            self._streams.discard(signal)

    @contextmanager
    def waiting(self, transaction: str) -> Iterator[asyncio.Event]:
        """Give a signal that is set when something of ``transaction`` was stored."""
        signal = asyncio.Event()
        self._waiters[transaction].add(signal)
        try:
            yield signal
        finally:
            self._waiters[transaction].discard(signal)
            if not self._waiters[transaction]:
                del self._waiters[transaction]
