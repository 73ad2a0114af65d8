"""``eth_call``: a replay of a mined transaction ends as that one did, anything else succeeds."""

from collections.abc import Mapping
from typing import Protocol

from txtrack_devnode import params
from txtrack_devnode.block import Block
from txtrack_devnode.rpc import INVALID_PARAMS, SERVER_ERROR, RpcError
from txtrack_devnode.wire import NO_ADDRESS, encode_reason

REVERTED = 3  # geth's code for "execution reverted"; the data is what the contract returned
NOTHING_RETURNED = "0x"

_Content = tuple[str, str | None, int, str]


class Blocks(Protocol):
    """What a replay needs of a chain."""

    def block(self, number: int) -> Block | None:
        """Find the canonical block at a height."""

    def balance(self, address: str, height: int | None = None) -> int:
        """Tell what an account owned after a height."""


def call(blocks: Blocks, given: Mapping[str, object], height: int) -> str:
    """Answer a call on top of a block.

    Raises:
        RpcError: As geth does: code 3 with the contract's ``data`` for a replay of a transaction
            that reverted in this block or in the one after it, -32000 for one that its sender
            cannot pay.
    """
    content = (
        params.optional(given, "from", params.address) or NO_ADDRESS,
        params.optional(given, "to", params.address),
        params.optional(given, "value", params.quantity) or 0,
        payload(given),
    )
    reason = _reason(blocks, content, height)
    if reason is not None:
        words = f"execution reverted: {reason}" if reason else "execution reverted"
        raise RpcError(REVERTED, words, encode_reason(reason) if reason else NOTHING_RETURNED)
    sender, _, value, _ = content
    if value > (owned := blocks.balance(sender, height)):
        message = f"insufficient funds for transfer: address {sender} has {owned}, wants {value}"
        raise RpcError(SERVER_ERROR, message)
    return NOTHING_RETURNED


def payload(given: Mapping[str, object]) -> str:
    """Read the data of a transaction, under its newer or its older name."""
    new, old = (params.optional(given, name, params.data) for name in ("input", "data"))
    if new and old and new != old:
        raise RpcError(INVALID_PARAMS, "input and data differ: give one of them, input is newer")
    return new or old or "0x"


def _reason(blocks: Blocks, content: _Content, height: int) -> str | None:
    """Find why a transaction with this content reverted.

    Clients replay one on the block that has it or, to see the state it met, on the one before.
    """
    reasons = (_reverted(blocks.block(number), content) for number in (height, height + 1))
    return next((reason for reason in reasons if reason is not None), None)


def _reverted(block: Block | None, content: _Content) -> str | None:
    if block is None or not block.reverted:
        return None
    for tx in block.transactions:
        reason = block.revert_reason(tx.hash)
        if reason is not None and (tx.sender, tx.to, tx.value, tx.data) == content:
            return reason
    return None
