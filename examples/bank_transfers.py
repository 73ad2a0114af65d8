"""Bank transfers, followed to their ends and beyond, by asking the bank over HTTP.

The bank of this example is as banks are: it wants few questions, fails now and then, takes its
time to know what it did, and takes one transfer back after it had said that all was well.

Run it: ``python examples/bank_transfers.py``
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

from aiohttp import web

from transaction_tracker import (
    Event,
    Settings,
    Tracked,
    TransactionTracker,
    TransactionTrackerApplication,
)
from transaction_tracker.sources.http_polling import HttpPollingSource, PollingPolicy, RequestLimits

# The answers of the bank for each transfer, in order; the last one repeats.
STORIES = {
    "rent": ["received", "processing", "settled"],
    "salary": ["received", "settled"],
    "car": ["received", "processing", "processing", "rejected"],
    "wrong-number": ["received", "settled", "settled", "returned"],
}
UNKNOWN = "misspelt"  # no transfer of the bank


class Bank:
    """A bank that makes it hard."""

    def __init__(self) -> None:
        self._stories = {name: list(story) for name, story in STORIES.items()}
        self._numbers = count(1)

    async def transfer(self, request: web.Request) -> web.StreamResponse:
        """Answer with the status of a transfer, or with a fault."""
        number = next(self._numbers)
        if number == 5:
            return web.Response(status=429, headers={"Retry-After": "1"})
        if number % 6 == 0:
            return web.Response(status=500, text="<h1>Please call us</h1>")
        if number % 7 == 0:
            return await self._cut_off(request)
        story = self._stories.get(request.match_info["id"])
        if story is None:
            return web.json_response({"message": "no such transfer"}, status=404)
        word = story.pop(0) if len(story) > 1 else story[0]
        reasons = {"rejected": "insufficient funds", "returned": "account closed"}
        return web.json_response({"transfer": {"status": word, "reason": reasons.get(word)}})

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """Serve on a free port; give the address."""
        app = web.Application()
        app.router.add_get("/v1/transfers/{id}", self.transfer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        await runner.cleanup()

    async def _cut_off(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"transfer": {"status": "sett')
        assert request.transport is not None
        request.transport.close()
        return response


def source(url: str) -> HttpPollingSource:
    """Return the source: the URL of the bank and the meanings of its status words."""
    return HttpPollingSource(
        f"{url}/v1/transfers/{{id}}",
        name="example-bank",
        status="transfer.status",
        error="transfer.reason",
        words={
            "received": "pending",
            "processing": "pending",
            "settled": "confirmed",
            "rejected": "failed",
            "returned": "reversed",
        },
        not_found="missing",
        headers={"Authorization": "Bearer a-key-that-is-never-printed"},
        # A real bank is asked every few minutes, and watched for months.
        policy=PollingPolicy(
            first_delay=0.05,
            longest_delay=0.2,
            watch_for=60 * 86_400,
            watch_first_delay=0.1,
            watch_longest_delay=1.0,
        ),
        limits=RequestLimits(requests_per_second=50, deadline=2.0),
        # This bank is on our own machine, and speaks without TLS.
        allow=["127.0.0.1"],
    )


async def main() -> None:
    taken_back = asyncio.Event()

    def tell(event: Event) -> None:
        print(f"{event.tracked.id:13} {event.previous} -> {event.tracked.state}")
        if event.tracked.state == "reversed":
            taken_back.set()

    settings = Settings(database=":memory:", poll_interval=0.02)
    async with Bank().open() as url:
        app = TransactionTrackerApplication(settings, source=source(url), on_event=tell)
        async with app:
            for transfer in STORIES:
                await TransactionTracker.start(transfer)
            await TransactionTracker.start(UNKNOWN, deadline=time.time() + 2.0)
            transfers = [*STORIES, UNKNOWN]
            for transfer in transfers:
                await TransactionTracker.wait(transfer, timeout=60)
            await asyncio.wait_for(taken_back.wait(), 60)
            ends = [await TransactionTracker.status(transfer) for transfer in transfers]
    # Now that nothing is told any more.
    print("\nWhat became of them:")
    for tracked in ends:
        print(sentence(tracked))


def sentence(tracked: Tracked) -> str:
    """Return a line about the state of a transfer."""
    why = tracked.outcome.error if tracked.outcome else None
    return f"{tracked.id:13} {tracked.state}" + (f": {why}" if why else "")


if __name__ == "__main__":
    asyncio.run(main())
