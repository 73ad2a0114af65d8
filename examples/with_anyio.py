"""Servers in a program that is written with anyio: its task groups and cancel scopes.

anyio runs on its asyncio backend: beamish is OTP for asyncio, and does not run on trio.

Run it: ``python examples/with_anyio.py``
"""

import anyio

from beamish import ExitError, GenServer, NoReply, Supervisor, call


class Stock(GenServer):
    """How many pieces there are of one thing."""

    def __init__(self, pieces: int) -> None:
        self.pieces = pieces

    @call
    def take(self) -> int:
        """Take a piece; return how many are left."""
        if self.pieces == 0:
            raise LookupError("sold out")
        self.pieces -= 1
        return self.pieces

    @call
    def wait_for_delivery(self) -> NoReply:
        """Wait for more; they never come."""
        return NoReply()


async def main() -> None:
    async with Supervisor.running([Stock.child_spec(3, name="stock")]):
        async with anyio.create_task_group() as customers:
            for _ in range(3):
                customers.start_soon(Stock.take, "stock")
        print("three customers have taken a piece each")

        with anyio.move_on_after(0.02) as patience:
            await Stock.wait_for_delivery("stock")
        print(f"lost patience: {patience.cancelled_caught}")

        try:
            await Stock.take("stock")
        except ExitError as error:
            print(f"the fourth: {error.reason}")
        print(f"restarted, and full again: {await Stock.take('stock')} left")


if __name__ == "__main__":
    anyio.run(main)
