"""How many processes there are, and how many messages wait for them, by class."""

from dataclasses import dataclass

from beamish._runtime import runtime


@dataclass(slots=True)
class Count:
    """The processes of one class.

    Args:
        processes: How many live.
        messages: How many messages wait for them, all together.
        longest: How many wait in the longest of their mailboxes.
    """

    processes: int = 0
    messages: int = 0
    longest: int = 0


def take() -> dict[str, Count]:
    """Count the live processes of all event loops; may be called in any thread."""
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
            waiting = process.queue_length()
            count.processes += 1
            count.messages += waiting
            count.longest = max(count.longest, waiting)
