"""Revert reasons, and errors that are not a reason (rule 11.8)."""

from typing import Any

import pytest

from .chain import transaction, word
from .node import Node, RpcError
from .world import CONFIRMATIONS, World, chain_of

CUSTOM = "0xcf479181" + word(1) + word(2)
PANIC = "0x4e487b71" + word(0x11)
ERROR = "0x08c379a0" + word(32) + word(6) + b"paused".hex().ljust(64, "0")

REASONS = [
    pytest.param(RpcError(3, "execution reverted", CUSTOM), ("0xcf479181",), id="custom-error"),
    pytest.param(RpcError(3, "execution reverted", PANIC), ("anic", "0x11"), id="panic"),
    pytest.param(RpcError(3, "execution reverted", ERROR), ("paused",), id="error-string"),
    pytest.param(
        RpcError(-32000, "execution reverted", ERROR), ("paused",), id="error-string-32000"
    ),
    pytest.param(
        RpcError(-32015, "VM execution error.", f"Reverted {ERROR}"), ("paused",), id="reverted-0x"
    ),
    pytest.param(
        RpcError(3, "execution reverted: \x124Vx", "0x12345678"), ("0x12345678",), id="raw-selector"
    ),
    pytest.param(RpcError(3, "execution reverted: paused"), ("paused",), id="text-alone"),
]
NOT_REASONS = [
    RpcError(-32000, "state is pruned"),
    RpcError(-32000, "missing trie node 5d1c"),
    RpcError(-32601, "the method eth_call does not exist/is not available"),
    RpcError(-32000, "insufficient funds for gas * price + value"),
    RpcError(-32603, "historical state is not available"),
]


def stored_reason(error: RpcError) -> str | None:
    """Return the reason that the tracker stores for an error of ``eth_call``."""
    payment = transaction("customer", 1, input="0xdeadbeef", gas="0x186a0")
    chain = chain_of(100)
    node = Node(chain)
    world = World(node)
    reasons: list[str | None] = []

    def fails(_params: list[Any], _result: Any) -> Any:
        raise error

    node.change = {"eth_call": fails}

    async def main() -> None:
        await world.track(payment)
        await world.becomes(payment, "missing")
        chain.mine(payment, receipt={"status": "0x0"})
        await world.blocks(CONFIRMATIONS)
        outcome = (await world.becomes(payment, "failed")).outcome
        assert outcome is not None
        assert not outcome.succeeded
        reasons.append(outcome.error)

    world.play(main)
    return reasons[0]


@pytest.mark.parametrize(("error", "parts"), REASONS)
def test_reason_is_decoded(error: RpcError, parts: tuple[str, ...]) -> None:
    reason = stored_reason(error)

    assert reason is not None
    assert all(part in reason for part in parts), reason
    assert "4Vx" not in reason


@pytest.mark.parametrize("error", NOT_REASONS, ids=[e.content["message"] for e in NOT_REASONS])
def test_an_error_about_something_else_is_not_a_reason(error: RpcError) -> None:
    assert stored_reason(error) is None
