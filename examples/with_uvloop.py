"""The same program on another event loop: uvloop.

Run it: ``python examples/with_uvloop.py``
"""

import asyncio

import uvloop

from beamish import GenServer, Supervisor, call, run


class Counter(GenServer):
    """Counts."""

    def __init__(self) -> None:
        self.count = 0

    @call
    def increment(self) -> int:
        """Count one more; return how many there were."""
        self.count += 1
        return self.count


async def main() -> None:
    async with Supervisor.running([Counter.child_spec(name="counter")]):
        for _ in range(1_000):
            count = await Counter.increment("counter")
        loop = asyncio.get_running_loop()
        print(f"counted to {count} on {type(loop).__module__}.{type(loop).__name__}")


if __name__ == "__main__":
    # An Application runs likewise: run(App(), loop_factory=uvloop.new_event_loop)
    run(main(), loop_factory=uvloop.new_event_loop)
