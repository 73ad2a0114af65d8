"""The chain's profile and the contracts' errors are used throughout the application."""

import asyncio
from typing import Any

import pytest

from transaction_tracker.sources.ethereum import EthereumSource

from .chain import transaction, word
from .node import Node, RpcError
from .world import CONFIRMATIONS, World, chain_of

FILECOIN, ZKSYNC = 314, 324
# A poll of the head, and the time until the last block is applied.
MARGIN_SECONDS = 10.0


@pytest.mark.parametrize(
    ("chain_id", "settings", "limit"),
    [
        pytest.param(FILECOIN, {}, 150.0, id="chain of the table"),
        pytest.param(FILECOIN, {"chain_id": None}, 150.0, id="chain id told by the node"),
        pytest.param(ZKSYNC, {"chain_id": None}, 60.0, id="fast chain"),
        pytest.param(ZKSYNC, {"profile": {"block_time": 40}}, 200.0, id="changed profile"),
        pytest.param(
            FILECOIN, {"block_time": 20.0, "profile": {"block_time": 40}}, 100.0, id="setting"
        ),
    ],
)
def test_a_chain_at_rest_is_lagging_after_five_of_its_block_times(
    chain_id: int, settings: dict[str, Any], limit: float
) -> None:
    chain = chain_of(100, chain_id)
    world = World(Node(chain), **settings)

    async def main() -> None:
        await world.reaches(chain)
        chain.mine()
        await world.reaches(chain)
        assert world.app is not None

        await asyncio.sleep(limit - MARGIN_SECONDS)
        assert world.app.sources[0].following().verdict.state == "ok"
        await asyncio.sleep(2 * MARGIN_SECONDS)
        assert world.app.sources[0].following().verdict.state == "lagging"

    world.play(main)


def test_source_uses_the_profile_with_its_overrides() -> None:
    chain = chain_of(10, ZKSYNC)
    world = World(Node(chain), chain_id=None, profile={"fee": "scroll"})

    async def main() -> None:
        assert world.app is not None
        source = world.app.source
        assert isinstance(source, EthereumSource)
        assert (source.profile.name, source.profile.fee) == ("ZKsync Era", "scroll")

    world.play(main)


def test_configured_custom_error_has_its_name_and_arguments() -> None:
    payment = transaction("customer", 1, input="0xdeadbeef", gas="0x186a0")
    chain = chain_of(100)
    node = Node(chain)
    signature = "InsufficientBalance(uint256 available, uint256 required)"
    world = World(node, errors=(signature,))

    def fails(_params: list[Any], _result: Any) -> Any:
        raise RpcError(3, "execution reverted", "0xcf479181" + word(1) + word(2))

    node.change = {"eth_call": fails}

    async def main() -> None:
        await world.track(payment)
        await world.becomes(payment, "missing")
        chain.mine(payment, receipt={"status": "0x0"})
        await world.blocks(CONFIRMATIONS)
        outcome = (await world.becomes(payment, "failed")).outcome
        assert outcome is not None
        assert outcome.error == "InsufficientBalance(available=1, required=2)"

    world.play(main)
