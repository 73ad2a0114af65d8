"""Counts the live processes and their queued messages by class."""

from dataclasses import dataclass

from beamish._runtime import runtime


@dataclass(slots=True)
class Count:
    """The processes of one class.

    Args:
        processes: Number of live processes.
        messages: Number of queued messages of all of them.
        longest: Number of messages in the longest of their mailboxes.
    """

    processes: int = 0
    messages: int = 0
    longest: int = 0


def take() -> dict[str, Count]:
    """Return the counts of all event loops by class; can be called in any thread."""
    counts: dict[str, Count] = {}
    for known in list(runtime._runtimes.values()):
        if not known.loop.is_closed():
            _count(known, counts)
    return counts


def _count(known: runtime.Runtime, counts: dict[str, Count]) -> None:
    for pid in list(known.processes):
        process = pid._process
        if process is not None:
            count = counts.setdefault(process.kind(), Count())
            queued = process.queue_length()
            count.processes += 1
            count.messages += queued
            count.longest = max(count.longest, queued)
