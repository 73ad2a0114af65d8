"""The message of a service that stops by itself."""

import asyncio

import pytest

from beamish import ExitError, GenServer, process, run
from transaction_tracker import Settings, TransactionTrackerApplication
from transaction_tracker.cli.exits import TROUBLE
from transaction_tracker.cli.serve import failure
from transaction_tracker.tracker import FOLLOWER
from txtrack_devnode import DevelopmentNode


async def _kill_the_follower_again_and_again() -> None:
    async with DevelopmentNode() as node:
        application = TransactionTrackerApplication(Settings(node.url, database=":memory:"))
        async with application:
            while True:
                pid = GenServer.whereis(FOLLOWER)
                if pid is not None:
                    process.exit(pid, "kill")
                await asyncio.sleep(0)


def test_message_after_too_many_restarts_says_that_no_data_is_lost() -> None:
    with pytest.raises(ExitError) as raised:
        run(_kill_the_follower_again_and_again())

    told = failure(raised.value)

    assert told.status == TROUBLE
    assert "kept crashing" in str(told)
    assert "No data is lost" in str(told)
