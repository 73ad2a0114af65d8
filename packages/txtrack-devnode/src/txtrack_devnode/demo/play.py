"""The whole demonstration: set up, played, judged."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from transaction_tracker.application import Settings, TransactionTrackerApplication
from transaction_tracker.domain import Policy
from transaction_tracker.providers import Pool, ProviderSettings
from transaction_tracker.sources.ethereum import SecretUrl
from txtrack_devnode.chain import Chain
from txtrack_devnode.demo.board import counted
from txtrack_devnode.demo.oracle import Oracle
from txtrack_devnode.demo.reports import Reports
from txtrack_devnode.demo.stage import Stage, Tempo
from txtrack_devnode.demo.story import Story
from txtrack_devnode.demo.summary import judge, mistakes, table
from txtrack_devnode.demo.troubles import troubles_table
from txtrack_devnode.demo.view import View
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


async def play(console: Console, *, payments: int, tempo: Tempo) -> bool:
    """Play the demonstration, and say whether every payment ended as it must.

    Raises:
        DemoError: Something that must happen did not happen in time.
    """
    view = View(console)
    async with _stage(view, Chain(accounts=payments + 1), tempo) as stage:
        with view.showing():
            await _perform(stage)
        return await _judge(stage)


@asynccontextmanager
async def _stage(view: View, chain: Chain, tempo: Tempo) -> AsyncIterator[Stage]:
    reports = Reports()
    with TemporaryDirectory(prefix="txtrack-demo-") as folder, reports.listening():
        async with DevelopmentNode(chain=chain) as one, DevelopmentNode(chain=chain) as two:
            nodes = (one, two)
            pool = Pool([_provider(node, tempo) for node in nodes], look_interval=2 * tempo.block)
            settings = Settings(
                confirmations=CONFIRMATIONS,
                database=Path(folder) / "transactions.db",
                poll_interval=tempo.poll,
                policy=Policy(drop_blocks=4, drop_seconds=4 * tempo.block),
            )
            async with TransactionTrackerApplication(settings, pool=pool) as app:
                stage = Stage(nodes, pool, app, view, reports, tempo)
                with stage.witness.listening():
                    yield stage


def _provider(node: DevelopmentNode, tempo: Tempo) -> ProviderSettings:
    return ProviderSettings(SecretUrl(node.url), deadline=tempo.deadline)


async def _perform(stage: Stage) -> None:
    board = asyncio.create_task(stage.keep_showing())
    try:
        await Story(stage).play()
    finally:
        board.cancel()
        await asyncio.wait([board])
    if not board.cancelled():
        board.result()


async def _judge(stage: Stage) -> bool:
    verdicts = judge(stage.payments, stage.known, Oracle(stage.chain))
    wrong = mistakes(verdicts)
    board = await stage.board()
    view = stage.view
    view.draw(table(verdicts))
    view.draw(troubles_table(stage.episodes))
    view.say(
        f"{board.height} blocks, {board.requests_per_block:.1f} requests per block, "
        f"{counted(board.restarts, 'restart')}, {board.seconds:.1f} s. "
        f"{counted(board.trackers, 'tracker')} left: what was dropped may still come back."
    )
    if wrong:
        view.say("\n".join([f"{len(wrong)} did not end as they must:", *wrong]), "bold red")
    else:
        view.say(f"Every one of {board.total} ended as the chain says.", "bold green")
    view.act("The same in your program:")
    view.script(IN_YOUR_PROGRAM)
    return not wrong
