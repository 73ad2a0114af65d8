"""Servers tested under the pytest plugin of anyio, on its asyncio backend.

Run it: ``python examples/tested_with_anyio.py``
"""

import sys
from collections.abc import AsyncIterator

import pytest

from beamish import Down, GenServer, Supervisor, call, cast, process

pytestmark = pytest.mark.anyio


class Till(GenServer):
    """Keeps the money."""

    def __init__(self) -> None:
        self.cents = 0

    @call
    def pay_in(self, cents: int) -> int:
        """Put money in; return what there is."""
        self.cents += cents
        return self.cents

    @cast
    def break_down(self) -> None:
        """Break down."""
        raise RuntimeError("the drawer is stuck")


@pytest.fixture
def anyio_backend() -> str:
    """Run on asyncio: beamish is OTP for asyncio, and does not run on trio."""
    return "asyncio"


@pytest.fixture
async def till() -> AsyncIterator[str]:
    """A till under a supervisor, for the length of a test."""
    async with Supervisor.running([Till.child_spec(name="till")]):
        yield "till"


async def test_money_adds_up(till: str) -> None:
    await Till.pay_in(till, 5)

    assert await Till.pay_in(till, 7) == 12


async def test_broken_till_is_replaced_by_an_empty_one(till: str) -> None:
    await Till.pay_in(till, 5)
    broken = GenServer.whereis(till)
    assert broken is not None

    async with process.attach():  # this test becomes a process, and gets messages
        process.monitor(broken)
        Till.break_down(till)
        down: Down = await process.receive(timeout=1.0)

    assert isinstance(down.reason, RuntimeError)
    assert await Till.pay_in(till, 1) == 1


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q", "-p", "no:asyncio"]))
