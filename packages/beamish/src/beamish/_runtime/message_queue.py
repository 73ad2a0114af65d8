"""The mailbox of a process that takes its messages itself, with ``receive``."""

from collections import deque
from collections.abc import Callable
from typing import Any, Final

NOTHING: Final = object()
"""Returned if no message matches, because a message can be any value, also ``None``."""

_MIN_COMPACTED = 64  # empty places at the front of the list before they are deleted


class Scan:
    """A waiting search for a message, which continues where it has stopped.

    Args:
        match: Returns whether a message matches.
        looked_at: Number of the oldest messages that are known not to match.
    """

    __slots__ = ("looked_at", "match")

    def __init__(self, match: Callable[[Any], bool], looked_at: int) -> None:
        self.match = match
        self.looked_at = looked_at


class MessageQueue:
    """Messages in the order of their arrival, any of which can be removed.

    New messages are in a deque, which is fast at both ends. A search moves the messages that do
    not match into a list, where the next search finds them by position; in a deque, reaching a
    position costs a step for each message before it. Invariant: all messages in the list are older
    than those in the deque.
    """

    __slots__ = ("_first", "_new", "_old", "_scans", "append")

    def __init__(self) -> None:
        self._scans: list[Scan] = []  # waiting searches, of several tasks of one process
        self._set([], deque())

    def _set(self, old: list[Any], new: deque[Any]) -> None:
        self._old = old
        self._first = 0  # the position of the oldest; the places before it are empty
        self._new = new
        self.append = new.append

    def __len__(self) -> int:
        return len(self._old) - self._first + len(self._new)

    def take_first(self) -> Any:
        """Remove and return the oldest message, or return `NOTHING`."""
        if self._old:
            message = self._old[self._first]
            self._remove_old(self._first)
            return message
        return self._new.popleft() if self._new else NOTHING

    def take_matching(self, match: Callable[[Any], bool]) -> Any:
        """Remove and return the oldest message that matches, or return `NOTHING`."""
        return self._search(Scan(match, 0))

    def begin(self, match: Callable[[Any], bool]) -> Scan:
        """Start a search, until `end`, for a message that is not in the queue yet."""
        scan = Scan(match, len(self))
        self._scans.append(scan)
        return scan

    def take(self, scan: Scan) -> Any:
        """Remove and return the oldest message that matches, or return `NOTHING`.

        Checks only the messages that ``scan`` has not checked yet.
        """
        return self._search(scan)

    def _search(self, scan: Scan) -> Any:
        old, new, match = self._old, self._new, scan.match
        while self._old is old and (position := self._first + scan.looked_at) < len(old):
            message = old[position]
            if match(message) and self._old is old:
                self._remove_old(position)
                return message
            scan.looked_at += 1
        while self._new is new and new:
            message = new[0]
            if match(message) and self._new is new:
                new.popleft()
                return message
            if self._new is new:
                old.append(new.popleft())
                scan.looked_at += 1
        if self._new is new:
            return NOTHING
        # The match function itself has discarded messages (demonitor with flush), which replaced
        # the list or the deque: positions are no longer valid, so start again.
        scan.looked_at = 0
        return self._search(scan)

    def _remove_old(self, position: int) -> None:
        place = position - self._first
        if place == 0:
            self._old[position] = None
            self._first += 1
            if self._first == len(self._old) or (
                self._first >= _MIN_COMPACTED and self._first * 2 > len(self._old)
            ):
                del self._old[: self._first]
                self._first = 0
        else:
            del self._old[position]
        for scan in self._scans:
            if scan.looked_at > place:
                scan.looked_at -= 1

    def end(self, scan: Scan) -> None:
        """End a search."""
        self._scans.remove(scan)

    def discard(self, unwanted: Callable[[Any], bool]) -> None:
        """Remove all messages for which ``unwanted`` is true."""
        old = self._old[self._first :]
        wanted = [not unwanted(message) for message in old]
        for scan in self._scans:
            scan.looked_at = sum(wanted[: scan.looked_at])
        kept = [message for message, keep in zip(old, wanted, strict=True) if keep]
        new = deque(message for message in self._new if not unwanted(message))
        if len(kept) + len(new) < len(self):
            self._set(kept, new)

    def size_bytes(self) -> int:
        """Return the memory of the queue in bytes, without the messages."""
        return self.__sizeof__() + self._old.__sizeof__() + self._new.__sizeof__()
