"""The scenes: what is measured, in which order, on which databases."""

import asyncio
from collections.abc import Callable

from benchmarks.driver import tell
from benchmarks.tracker import anvil, node
from benchmarks.tracker.bench import Bench
from benchmarks.tracker.samples import percentiles
from benchmarks.tracker.sizes import MILLION, Kind
from benchmarks.tracker.works import (
    applying,
    catching_up,
    following,
    hanging,
    quick_blocks,
    webhooks,
)

# So deep that nothing ends while it is measured.
REQUIRED = 1_000
FOLLOWED = 5


def requests(bench: Bench) -> None:
    """Count requests per block, of the tracker and of a program that polls."""
    for tracked in bench.sizes.tracked:
        with bench.database() as database:
            bench.prepare(database, tracked, following.REQUIRED)
            tell(f"  following the head, {tracked:,} tracked")
            bench.measure(
                f"following.{tracked}",
                "following",
                database=database,
                tracked=tracked,
                blocks=bench.sizes.counted,
            )
        tell(f"  polling {tracked:,}")
        bench.measure(f"polling.{tracked}", "polling", tracked=tracked, blocks=bench.sizes.polled)


def fast(bench: Bench) -> None:
    """Catch up with many blocks, and follow blocks of 0.25 s, at a node that is far away."""
    sizes = bench.sizes
    for repeat in range(sizes.repeats):
        tell(f"  catching up with {sizes.missed:,} blocks, repeat {repeat + 1}")
        tracked = sizes.missed // 10
        with bench.database() as database:
            bench.prepare(database, tracked, catching_up.REQUIRED)
            bench.measure(
                "catching_up",
                "catching_up",
                database=database,
                tracked=tracked,
                blocks=sizes.missed,
            )
    for name, poll_interval in quick_blocks.POLL_INTERVALS.items():
        tell(f"  blocks of {quick_blocks.BLOCK_SECONDS:g} s, asking every {poll_interval:g} s")
        with bench.database() as database:
            bench.prepare(database, quick_blocks.TRACKED, quick_blocks.REQUIRED)
            bench.measure(
                f"fast.{name}",
                "quick_blocks",
                database=database,
                tracked=quick_blocks.TRACKED,
                blocks=sizes.quick,
                poll_interval=poll_interval,
            )


def detection(bench: Bench) -> None:
    """Time the way from a block to the stored states of the transactions in it."""
    ways = [("development", True)]
    if anvil.binary() is None:
        tell("  no anvil: only the development node is measured")
        bench.samples.absent["detection"] = "no anvil: npm install --no-save @foundry-rs/anvil"
    else:
        ways = [("anvil", False), ("anvil", True), *ways]
    for repeat in range(bench.sizes.repeats):
        for kind, hinted in ways:
            how = "newHeads" if hinted else "asking"
            tell(f"  {kind} node, {how}, repeat {repeat + 1}")
            _detect(bench, kind, how, hinted)


def _detect(bench: Bench, kind: str, how: str, hinted: bool) -> None:
    sizes = bench.sizes
    with bench.database() as database:
        figures = bench.run(
            "detection",
            database=database,
            kind=kind,
            tracked=sizes.detected,
            per_block=sizes.per_block,
            blocks=sizes.timed,
            hinted=hinted,
        )
    for name, samples in figures.items():
        bench.samples.add(f"detection.{kind}.{how}.{name}", percentiles(samples))


def boot(bench: Bench) -> None:
    """Start the application on databases full of open transactions."""
    for tracked in bench.sizes.booted:
        # PostgreSQL shows that it can; the greatest size shows what Python can.
        for kind in bench.kinds if tracked < MILLION else bench.kinds[:1]:
            with bench.database(kind) as database:
                bench.prepare(database, tracked, REQUIRED)
                asyncio.run(_boot(bench, kind, database, tracked))


async def _boot(bench: Bench, kind: Kind, database: str, tracked: int) -> None:
    tell(f"  a node that knows {tracked:,} transactions")
    async with node.running(tracked, bench.sizes.per_block) as one:
        for start in range(bench.sizes.starts):
            await one.mine()
            tell(f"  start {start + 1} with {tracked:,} on {kind}")
            # In a thread: the node is this loop's child.
            await asyncio.to_thread(
                bench.measure,
                f"boot.{kind}.{tracked}",
                "resume",
                database=database,
                node=one.url,
                tracked=tracked,
                required=REQUIRED,
                blocks=FOLLOWED,
            )


def registration(bench: Bench) -> None:
    """Register over HTTP."""
    for repeat in range(bench.sizes.repeats):
        for kind in bench.kinds:
            tell(f"  {bench.sizes.registered:,} in one request on {kind}, repeat {repeat + 1}")
            with bench.database(kind) as database:
                bench.measure(
                    f"registration.{kind}",
                    "registration",
                    database=database,
                    transactions=bench.sizes.registered,
                )


def blocks(bench: Bench) -> None:
    """Apply blocks, and write them with the store alone."""
    works = (("applying", applying.REQUIRED), ("writing", REQUIRED))
    for hits in bench.sizes.hits:
        for kind in bench.kinds:
            for work, required in works:
                with bench.database(kind) as database:
                    bench.prepare(database, hits * (bench.sizes.applied + 1), required)
                    tell(f"  {work} blocks of {hits:,} on {kind}")
                    bench.measure(
                        f"{work}.{kind}.{hits}",
                        work,
                        database=database,
                        hits=hits,
                        blocks=bench.sizes.applied,
                    )


def deliveries(bench: Bench) -> None:
    """Deliver events by webhooks."""
    for repeat in range(bench.sizes.repeats):
        for receivers in bench.sizes.receivers:
            events = max(1, bench.sizes.delivered // receivers)
            for kind in bench.kinds:
                with bench.database(kind) as database:
                    bench.prepare(database, events, webhooks.REQUIRED)
                    tell(f"  {events:,} events to {receivers} on {kind}, repeat {repeat + 1}")
                    bench.measure(
                        f"webhooks.{kind}.{receivers}",
                        "webhooks",
                        database=database,
                        events=events,
                        receivers=receivers,
                    )


def isolation(bench: Bench) -> None:
    """Deliver events to one receiver while others never answer."""
    for count in bench.sizes.hanging:
        with bench.database() as database:
            bench.prepare(database, bench.sizes.hung, hanging.REQUIRED)
            tell(f"  {bench.sizes.hung:,} events while {count} receivers never answer")
            bench.measure(
                f"hanging.{count}",
                "hanging",
                database=database,
                events=bench.sizes.hung,
                hanging_receivers=count,
            )


SCENES: dict[str, Callable[[Bench], None]] = {
    "requests": requests,
    "fast": fast,
    "detection": detection,
    "boot": boot,
    "registration": registration,
    "blocks": blocks,
    "webhooks": deliveries,
    "hanging": isolation,
}
