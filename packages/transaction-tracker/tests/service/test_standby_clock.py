"""A standby whose clock differs from that of the database server."""

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest

from beamish import process
from transaction_tracker.api import WebOptions
from transaction_tracker.service.standby import Standby
from transaction_tracker.service.tree import TransactionTrackerApplication
from transaction_tracker.store import LeaseHolder
from transaction_tracker.store.database import Database

from ..postgres import Postgres  # noqa: TID252

PATIENCE = 50.0
# Long enough that no test waits for its end, however slow the machine is.
LONG = 300.0

pytestmark = pytest.mark.postgres


class TakesOverError(Exception):
    """Ends a standby that takes over."""


@pytest.fixture
def url(postgres: Postgres) -> Iterator[str]:
    with postgres.database() as url:
        yield url


def take_over(_: socket.socket) -> TransactionTrackerApplication:
    raise TakesOverError


async def started(_: TransactionTrackerApplication) -> None:
    raise AssertionError("it cannot start")


@pytest.mark.parametrize(
    ("ahead", "shown"), [(7200.0, "7200 s ahead of"), (-7200.0, "7200 s behind"), (5.0, None)]
)
async def test_standby_warns_of_a_wrong_clock_once_and_before_it_takes_over(
    url: str,
    ahead: float,
    shown: str | None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + ahead)
    owner = Database(url, LeaseHolder(LONG)).open()
    caplog.set_level("INFO", "transaction_tracker")
    standby = Standby(owner.url, LeaseHolder(LONG), WebOptions(port=0), take_over, started)
    async with process.attach(), asyncio.timeout(PATIENCE):
        running = asyncio.create_task(standby.run())
        while "standing by; " not in caplog.text:
            await asyncio.sleep(0.01)
        warned_as_standby = "the clock of this machine" in caplog.text
        owner.close()
        with pytest.raises(TakesOverError):
            await running

    warnings = [line for line in caplog.messages if "the clock of this machine" in line]
    assert len(warnings) == warned_as_standby == (shown is not None)
    assert all(f"is {shown} that of the database server" in line for line in warnings)
