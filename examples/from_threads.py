"""Processes called from threads: code that blocks, and must not run in the event loop.

Run it: ``python examples/from_threads.py``
"""

import asyncio
import time

from beamish import GenServer, Pid, call, cast, from_thread, run


class Progress(GenServer):
    """Knows how far a job is."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done: set[int] = set()

    @cast
    def finished(self, part: int) -> None:
        """Note that a part of the job is done."""
        self.done.add(part)

    @call
    def left(self) -> int:
        """How many parts are to be done."""
        return self.total - len(self.done)


def work(progress: Pid, part: int) -> int:
    """Do a part of the job, in a thread: nothing here is async."""
    time.sleep(0.001)  # a driver that blocks
    from_thread.cast(progress, Progress.finished, part)
    return from_thread.call(progress, Progress.left, timeout=1.0)  # type: ignore[no-any-return]


async def main() -> None:
    progress = await Progress.start_link(20)  # threads need the pid, which knows its loop
    seen = await asyncio.gather(*(asyncio.to_thread(work, progress, n) for n in range(20)))
    print(f"fewest parts left that a thread saw: {min(seen)}")
    print(f"left at the end: {await Progress.left(progress)}")


if __name__ == "__main__":
    run(main())
