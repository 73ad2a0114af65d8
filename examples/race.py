"""A race that no ordinary test finds: the last ticket is sold twice. `simulate` finds it.

Each customer asks how many tickets are left, and buys one if there are any. Between the question
and the purchase, another customer may come first. Where calls are answered at once, as by an idle
server on the same event loop, it never happens; on the day when the server is busy, it does.

Run it: ``python examples/race.py``
"""

import asyncio
from collections.abc import Awaitable, Callable

from beamish import GenServer, Pid, call
from beamish.testing import find_race


class BoxOffice(GenServer):
    """Sells tickets."""

    def __init__(self, tickets: int) -> None:
        self.tickets = tickets

    @call
    def left(self) -> int:
        """How many tickets are left."""
        return self.tickets

    @call
    def sell(self) -> None:
        """Sell a ticket, whether there is one or not."""
        self.tickets -= 1

    @call
    def sell_if_any(self) -> bool:
        """Sell a ticket, if there is one."""
        if self.tickets == 0:
            return False
        self.tickets -= 1
        return True


async def buy(office: Pid) -> None:
    """Buy a ticket, if there is one: a question, then an order."""
    if await BoxOffice.left(office):
        await BoxOffice.sell(office)


async def buy_at_once(office: Pid) -> None:
    """Buy a ticket, if there is one: the server decides, and nobody comes between."""
    await BoxOffice.sell_if_any(office)


async def last_ticket(how: Callable[[Pid], Awaitable[None]]) -> None:
    office = await BoxOffice.start(1)
    await asyncio.gather(how(office), how(office))
    left = await BoxOffice.left(office)
    assert left == 0, f"{1 - left} customers have bought the last ticket"


async def racy() -> None:
    await last_ticket(buy)


async def mended() -> None:
    await last_ticket(buy_at_once)


def main() -> None:
    asyncio.run(racy())
    print("an ordinary run: nothing to be seen")

    try:
        find_race(racy, seeds=range(1_000))
    except AssertionError as race:
        print(f"1,000 seeds: {race}")
        print("\n".join(race.__notes__))

    find_race(mended, seeds=range(1_000))
    print("mended: 1,000 seeds, and no race")


if __name__ == "__main__":
    main()
