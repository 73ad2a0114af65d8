"""The Ethereum source with several nodes whose responses differ."""

from typing import Any

import pytest

from transaction_tracker.domain import BlockRef, Included
from transaction_tracker.sources import Consensus, TransportError
from transaction_tracker.sources.ethereum import EthereumSource
from transaction_tracker.sources.ethereum.rpc import Request

from .rpc import FakeRpc, Node, hash_at, raw_block, receipt, transaction, tx_hash

TEN = BlockRef(10, hash_at(10))
KEY = tx_hash(1)
PLACED = transaction(KEY) | {"blockNumber": "0xa", "blockHash": TEN.hash}
ERROR = TransportError("cut off")


def on_branch(branch: int, above: int = 0) -> Node:
    """Return a node whose blocks above a height are those of a branch."""

    def answer(request: Request) -> Any:
        number = int(str(request.params[0]), 16)
        return raw_block(number, branch=branch if number > above else 0)

    return answer


def knowing(**answers: Any) -> Node:
    return lambda request: answers.get(request.method)


def source_of(*nodes: Node) -> EthereumSource:
    return EthereumSource(FakeRpc(*nodes))  # type: ignore[arg-type]


OURS, OTHER = on_branch(0), on_branch(1)
SILENT: Node = lambda _request: ERROR  # noqa: E731
WRONG: Node = lambda _request: raw_block(9)  # noqa: E731


@pytest.mark.parametrize(
    ("nodes", "contested"),
    [
        ((OURS,), True),
        ((OTHER,), False),
        ((OTHER, OURS), True),
        ((OTHER, OTHER, OURS), False),
        ((OTHER, OURS, OURS), True),
        ((SILENT,), False),
        ((OTHER, OURS, SILENT), True),
        ((OTHER, OURS, WRONG), True),
    ],
)
async def test_block_is_contested_if_half_of_the_nodes_have_it(
    nodes: tuple[Node, ...], contested: bool
) -> None:
    assert await source_of(*nodes).is_contested(TEN) == contested


@pytest.mark.parametrize("method", ["eth_getTransactionByHash", "eth_getTransactionReceipt"])
async def test_error_of_one_node_leaves_the_consensus_open(method: str) -> None:
    head = {"eth_blockNumber": "0x14"}
    well, failing = knowing(**head), knowing(**head, **{method: ERROR})

    assert await source_of(well, well).consensus({KEY: ()}, 20) == {KEY: Consensus("absent", 2)}
    assert await source_of(well, failing).consensus({KEY: ()}, 20) == {
        KEY: Consensus("open", 2, str(ERROR))
    }


async def test_silent_node_leaves_the_consensus_open() -> None:
    well = knowing(eth_blockNumber="0x14")

    found = await source_of(well, well, SILENT).consensus({KEY: ()}, 20)

    assert found == {KEY: Consensus("open", 3, "cut off")}


@pytest.mark.parametrize("method", ["eth_getTransactionByHash", "eth_getTransactionReceipt"])
@pytest.mark.parametrize("at_once", [False, True])
async def test_missing_part_is_fetched_from_other_nodes(method: str, at_once: bool) -> None:
    whole = {
        "eth_blockNumber": "0x14",
        "eth_getTransactionByHash": PLACED,
        "eth_getTransactionReceipt": receipt(KEY),
    }
    lacking = knowing(**(whole | {method: None}))

    found = await source_of(lacking, knowing(**whole)).look_up({KEY: ()}, 20, at_once=at_once)

    included = found[KEY]
    assert isinstance(included, Included)
    assert included.block == TEN
