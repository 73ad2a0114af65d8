"""Stops that are known and not mended yet: each test says what must hold (rules 11.3 and 11.4)."""

from .chain import transaction
from .node import Node
from .test_open_faults import LENGTH, open_fault
from .world import World, chain_of

ERRORS = 60  # blocks: far longer than any end or alarm takes


# -- Stops that nobody is told of


@open_fault("a provider that never answers about a block holds ends back without end, in silence")
def test_an_old_block_that_one_provider_cannot_show_stops_no_end_in_silence() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(20)
    chain.mine(payment)
    chain.grow(LENGTH)
    good, odd = Node(chain, "good"), Node(chain, "odd")
    world = World(good, odd)
    odd.change["eth_getBlockByNumber"] = lambda params, found: (
        found | {"hash": None} if params[0] == hex(21) else found
    )

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        await world.blocks(ERRORS)
        ready = await world.get("/readyz")
        assert await world.ends(payment) == ["confirmed"] or ready.status == 503

    world.play(main)


class Failing(Node):
    """A node that fails with HTTP 500 for every second request about receipts."""

    asked = 0

    def answer(self, body: bytes) -> tuple[int, bytes]:
        if b"eth_getTransactionReceipt" in body:
            self.asked += 1
            if self.asked % 2 == 0:
                return 500, b"<html>internal error</html>"
        return super().answer(body)


@open_fault("an objection without an answer in between starts the time of the alarm again")
def test_ends_that_are_contradicted_with_errors_in_between_are_told() -> None:
    payment = transaction("customer", 1)
    chain = chain_of(LENGTH)
    branch = chain.fork(LENGTH, "branch")
    world = World(Node(branch, "alone"), Failing(chain, "honest"))

    async def main() -> None:
        await world.reaches(branch)
        await world.track(payment)
        branch.mine(payment)
        chain.mine()
        told = []
        for _ in range(ERRORS):
            await world.blocks(1, chain, branch)
            told.append((await world.get("/readyz")).status)
        assert await world.ends(payment) == []
        assert 503 in told

    world.play(main)
