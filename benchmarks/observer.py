"""What an observer costs the program that it shows; run ``python -m benchmarks.observer``.

For each number of processes, the program is idle, and its event loop's thread uses the processor
for nothing but the observer. Printed are the share of one core with the page closed and with each
page open at the standard interval of 2 s; the longest time for which a reading held the event loop;
and what a start, a message and a call cost with an observer that nobody looks at, and without one.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable

from beamish import DynamicSupervisor, GenServer, Registry, Supervisor, call, process, run
from beamish.observer import Observer
from benchmarks.loops import max_blocked_seconds

SECONDS = 20.0
COUNTS = (1_000, 10_000, 100_000)
PAGES = (
    "overview",
    "processes",
    "processes&search=order%3A12",
    "tree",
    "tree&search=order%3A12",
    "supervisors",
    "registries&pid=Orders",
    "crashes",
)
CALLS = 200_000
STARTS = 20_000


class Order(GenServer):
    """A small server."""

    def __init__(self) -> None:
        self.total = 0

    @call
    def add(self, by: int) -> int:
        """Return the new total."""
        self.total += by
        return self.total


async def fill(count: int) -> None:
    """Start registered servers."""
    for number in range(count):
        spec = Order.child_spec(name=Registry.via("Orders", f"order:{number}"))
        await DynamicSupervisor.start_child("Shop", spec)


async def share(seconds: float) -> float:
    """Return the share of a core that this thread uses."""
    used, began = time.thread_time(), time.perf_counter()
    await asyncio.sleep(seconds)
    return (time.thread_time() - used) / (time.perf_counter() - began)


async def watched(url: str, page: str, measure: Callable[[], Awaitable[float]]) -> float:
    """Measure while a client of another program reads an event stream."""
    client = await asyncio.create_subprocess_exec(
        "curl", "-sN", f"{url}events?view={page}", stdout=asyncio.subprocess.DEVNULL
    )
    try:
        await asyncio.sleep(3.0)  # the first snapshots
        return await measure()
    finally:
        client.terminate()
        await client.wait()


async def costs() -> tuple[float, float, float]:
    """Return the seconds of one start, one message and one call."""
    began = time.perf_counter()
    pids = [await Order.start() for _ in range(STARTS)]
    start = (time.perf_counter() - began) / STARTS
    pid = pids[0]
    began = time.perf_counter()
    for _ in range(CALLS):
        await Order.add(pid, 1)
    called = (time.perf_counter() - began) / CALLS
    began = time.perf_counter()
    for _ in range(CALLS):
        process.send(pids[1], None)
    message = (time.perf_counter() - began) / CALLS
    for one in pids:
        process.exit(one, "kill")
    return start, message, called


async def main(counts: list[int], seconds: float) -> None:
    """Measure, and print the figures."""
    for count in counts:
        children = [
            Registry.child_spec(keys="unique", name="Orders"),
            DynamicSupervisor.child_spec(name="Shop"),
        ]
        async with Supervisor.running(children):
            await fill(count)
            print(f"{count:,} processes")
            print(f"  without an observer: {await share(seconds):.3%} of a core")
            pid = await Observer.start(port=0)
            url = await Observer.url(pid)
            print(f"  page closed: {await share(seconds):.3%}")
            for page in PAGES:
                used = await watched(url or "", page, lambda: share(seconds))
                blocked = await watched(
                    url or "", page, lambda: max_blocked_seconds(asyncio.sleep(6.0))
                )
                print(
                    f"  {page}: {used:.3%}, event loop blocked for {1_000 * blocked:.1f} ms at most"
                )
            await Observer.stop(pid)
    async with Supervisor.running([]):
        for name in ("without an observer", "with one, closed", "without an observer"):
            pid = await Observer.start(port=0) if "closed" in name else None
            start, message, called = (1e6 * figure for figure in await costs())
            print(f"{name}: start {start:.2f} µs, message {message:.3f} µs, call {called:.3f} µs")
            if pid is not None:
                await Observer.stop(pid)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of one measurement")
    parser.add_argument("counts", nargs="*", type=int, default=list(COUNTS))
    options = parser.parse_args()
    run(main(options.counts, options.seconds))
