"""``eth_call``: a replay of a mined transaction reverts as it did; all other calls succeed."""

from collections.abc import Mapping
from typing import Protocol

from txtrack_devnode import params
from txtrack_devnode.block import Block
from txtrack_devnode.rpc import INVALID_PARAMS, SERVER_ERROR, RpcError
from txtrack_devnode.wire import NO_ADDRESS, encode_reason

REVERTED = 3  # geth's code for "execution reverted"; the data is what the contract returned
NOTHING_RETURNED = "0x"

_Content = tuple[str, str | None, int, str]


class ReplayState(Protocol):
    """The part of a chain that a replay reads."""

    def block(self, number: int) -> Block | None:
        """Return the canonical block at a height, or ``None``."""

    def balance(self, address: str, height: int | None = None) -> int:
        """Return the balance of an account after the block at a height."""
        ...


def call(state: ReplayState, given: Mapping[str, object], height: int) -> str:
    """Run a call on top of a block.

    Raises:
        RpcError: As geth: code 3 with the contract's ``data`` for a replay of a transaction that
            reverted in this block or the next one, -32000 if the sender cannot pay.
    """
    content = (
        params.optional(given, "from", params.address) or NO_ADDRESS,
        params.optional(given, "to", params.address),
        params.optional(given, "value", params.quantity) or 0,
        payload(given),
    )
    reason = _revert_reason(state, content, height)
    if reason is not None:
        message = f"execution reverted: {reason}" if reason else "execution reverted"
        raise RpcError(REVERTED, message, encode_reason(reason) if reason else NOTHING_RETURNED)
    sender, _, value, _ = content
    if value > (owned := state.balance(sender, height)):
        message = f"insufficient funds for transfer: address {sender} has {owned}, wants {value}"
        raise RpcError(SERVER_ERROR, message)
    return NOTHING_RETURNED


def payload(given: Mapping[str, object]) -> str:
    """Parse the data of a transaction from ``input`` or ``data``, its older name."""
    new, old = (params.optional(given, name, params.data) for name in ("input", "data"))
    if new and old and new != old:
        raise RpcError(
            INVALID_PARAMS, "input and data differ: give only one of them, preferably input"
        )
    return new or old or "0x"


def _revert_reason(state: ReplayState, content: _Content, height: int) -> str | None:
    """Return why a transaction with this content reverted, or ``None``.

    Clients replay a transaction on its own block or, for the state before it, on its parent.
    """
    reasons = (_revert_reason_in(state.block(number), content) for number in (height, height + 1))
    return next((reason for reason in reasons if reason is not None), None)


def _revert_reason_in(block: Block | None, content: _Content) -> str | None:
    if block is None or not block.reverted:
        return None
    for tx in block.transactions:
        reason = block.revert_reason(tx.hash)
        if reason is not None and (tx.sender, tx.to, tx.value, tx.data) == content:
            return reason
    return None
