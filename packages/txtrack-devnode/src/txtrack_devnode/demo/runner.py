"""Run the demo: start nodes and tracker, run the script, check the results."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from transaction_tracker.api import WEB, Web, WebOptions
from transaction_tracker.providers import Pool, ProviderSettings
from transaction_tracker.service import Settings, TransactionTrackerApplication
from transaction_tracker.sources.ethereum import SecretUrl
from txtrack_devnode.chain import Chain
from txtrack_devnode.demo.harness import Harness, Speed
from txtrack_devnode.demo.oracle import Oracle
from txtrack_devnode.demo.reports import CrashReports
from txtrack_devnode.demo.scenarios import scenario_table
from txtrack_devnode.demo.screen import Screen
from txtrack_devnode.demo.script import Script
from txtrack_devnode.demo.snapshot import counted
from txtrack_devnode.demo.summary import check_payments, mismatches, table
from txtrack_devnode.server import DevelopmentNode

CONFIRMATIONS = 6

IN_YOUR_PROGRAM = """\
from transaction_tracker import (
    Settings,
    TransactionTracker,
    TransactionTrackerApplication,
)

async with TransactionTrackerApplication(Settings("http://127.0.0.1:8545")):
    await TransactionTracker.start(tx)
    await TransactionTracker.wait(tx, until="terminal")"""


async def run_demo(
    console: Console,
    *,
    payments: int,
    speed: Speed,
    stay: Callable[[], Awaitable[None]] | None = None,
) -> bool:
    """Run the demo and return whether every payment has the expected final state.

    Args:
        console: The output.
        payments: Number of payments.
        speed: Time between blocks.
        stay: Waits for the end of a demo that stays after its summary: it serves the dashboard, and
            blocks and payments go on. Default: it has no dashboard and ends after the summary.

    Raises:
        DemoError: The tracker did not reach an expected state in time.
    """
    screen = Screen(console)
    web = None if stay is None else WebOptions(port=0)
    async with _harness(screen, Chain(accounts=payments + 1), speed, web) as harness:
        if stay is not None:
            screen.write(f"Dashboard: {await Web.url(WEB)}", "bold")
        with screen.showing():
            await _run_script(harness)
        correct = await _show_results(harness)
        if stay is not None:
            await _keep_moving(harness, stay)
        return correct


async def _keep_moving(harness: Harness, stay: Callable[[], Awaitable[None]]) -> None:
    """Send a payment with each block until ``stay`` returns."""
    harness.screen.heading(f"The dashboard stays open until Ctrl-C: {await Web.url(WEB)}")
    moving = asyncio.create_task(Script.keep_paying(harness))
    try:
        await stay()
    finally:
        moving.cancel()
        await asyncio.wait([moving])
    if not moving.cancelled():
        moving.result()


@asynccontextmanager
async def _harness(
    screen: Screen, chain: Chain, speed: Speed, web: WebOptions | None
) -> AsyncIterator[Harness]:
    reports = CrashReports()
    with TemporaryDirectory(prefix="txtrack-demo-") as folder, reports.capturing():
        async with DevelopmentNode(chain=chain) as first, DevelopmentNode(chain=chain) as second:
            nodes = (first, second)
            pool = Pool([_provider(node, speed) for node in nodes], probe_interval=2 * speed.block)
            settings = Settings(
                confirmations=CONFIRMATIONS,
                database=Path(folder) / "transactions.db",
                poll_interval=speed.poll,
                drop_after_blocks=4,
                drop_after_seconds=4 * speed.block,
                web=web,
            )
            async with TransactionTrackerApplication(settings, pool=pool) as app:
                harness = Harness(nodes, pool, app, screen, reports, speed)
                with harness.activity.counting():
                    yield harness


def _provider(node: DevelopmentNode, speed: Speed) -> ProviderSettings:
    return ProviderSettings(SecretUrl(node.url), deadline=speed.deadline)


async def _run_script(harness: Harness) -> None:
    display = asyncio.create_task(harness.keep_showing())
    try:
        await Script(harness).run()
    finally:
        display.cancel()
        await asyncio.wait([display])
    if not display.cancelled():
        display.result()


async def _show_results(harness: Harness) -> bool:
    checks = check_payments(harness.payments, harness.known, Oracle(harness.chain))
    wrong = mismatches(checks)
    snapshot = await harness.snapshot()
    screen = harness.screen
    screen.draw(table(checks))
    screen.draw(scenario_table(harness.results))
    screen.write(
        f"{snapshot.height} blocks, {snapshot.requests_per_block:.1f} requests per block, "
        f"{counted(snapshot.restarts, 'restart')}, {snapshot.seconds:.1f} s. "
        f"{counted(snapshot.trackers, 'tracker')} left: a dropped payment can still be mined."
    )
    if wrong:
        screen.write("\n".join([f"{len(wrong)} have a wrong final state:", *wrong]), "bold red")
    else:
        screen.write(
            f"All {snapshot.total} payments have the state that the chain says.", "bold green"
        )
    screen.heading("The same in your program:")
    screen.script(IN_YOUR_PROGRAM)
    return not wrong
