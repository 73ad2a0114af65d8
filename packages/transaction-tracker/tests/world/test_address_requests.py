"""Number of requests per block for watched addresses: at most two more, for 100,000 as for one."""

import pytest

from transaction_tracker.follower.address_options import AddressesSection, TokenSection

from .node import Node
from .watching import SHOP, TOKEN, calls, pays, transfer, watch, watched
from .world import World, chain_of

BLOCKS = 40
# The default: each block waits for a poll, and other requests are sent meanwhile.
POLL_SECONDS = 1.0
MANY = 100_000
_BATCH = 10_000
MAX_MORE_REQUESTS = 2.0
# The filter of a block that can have any log.
FULL = "0x" + "ff" * 256


def cost(addresses: int) -> float:
    """Return the requests per block while each block pays one of some watched addresses.

    Nothing ends: the providers are asked about ends, as for the transactions of users.
    """
    chain = chain_of(100)
    node = Node(chain)
    rules = AddressesSection(tokens=(TokenSection(address=TOKEN),))
    world = World(node, addresses=rules, confirmations=10_000, poll_interval=POLL_SECONDS)
    accounts = [SHOP, *(f"0x{number:040x}" for number in range(1, addresses))][:addresses]
    found: list[float] = []

    async def main() -> None:
        for at in range(0, len(accounts), _BATCH):
            await watch(*accounts[at : at + _BATCH])
        await world.reaches(chain)
        before = node.requests
        for number in range(BLOCKS):
            payments = calls("customer", 2 * number), pays("customer", 2 * number + 1)
            logs = [transfer(5)] if number % 2 else []
            chain.mine(*payments, receipt={"logs": logs}, logsBloom=FULL)
            await world.reaches(chain)
        found.append((node.requests - before) / BLOCKS)
        if addresses:
            assert (await watched()).found >= BLOCKS

    world.play(main)
    return found[0]


@pytest.mark.parametrize("addresses", [1, 2_000, pytest.param(MANY, marks=pytest.mark.full)])
def test_watched_addresses_take_at_most_two_requests_per_block(addresses: int) -> None:
    without, found = cost(0), cost(addresses)

    print(f"{addresses:,} addresses: {found:.2f} requests per block, {without:.2f} without")
    # And one for the decimals of the token, whatever the number of blocks.
    assert round((found - without) * BLOCKS) <= MAX_MORE_REQUESTS * BLOCKS + 1
