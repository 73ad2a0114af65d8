"""Rules by token and amount: how many confirmations a payment needs."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from transaction_tracker.domain.details import Execution, Payment
from transaction_tracker.domain.states import TAGS, Required


@dataclass(frozen=True, slots=True)
class Rule:
    """What makes a payment of an amount or more final.

    Attributes:
        required: Number of confirmations, or a tag of the chain.
        value: Minimum amount, in the smallest unit of the coin or the token.
        token: Contract of the token, in lower case; ``None`` for the chain's coin.
    """

    required: Required
    value: int = 0
    token: str | None = None

    def __str__(self) -> str:
        unit = "the chain's smallest unit" if self.token is None else f"token {self.token}"
        return f"{self.value} or more of {unit}"


# Who chose what makes a state final: the registration or a change of it, the setting of the
# source, or one of its rules.
RequiredBy: TypeAlias = Literal["request", "setting"] | Rule


def strictest(
    rules: Iterable[Rule],
    payment: Payment | None,
    execution: Execution | None = None,
    *,
    is_in_block: bool = False,
) -> Rule | None:
    """Return the rule with the highest requirement of those that a payment reaches.

    Args:
        rules: The rules of the source, in any order.
        payment: What the sender signed, as far as it is known.
        execution: What it did in its block, as far as it is known.
        is_in_block: Whether a block has it, with a result. Then an amount that no provider sends
            in a readable form counts as reached: a longer wait is safe, and without this rule such
            a payment would end too early, or never.
    """
    reached = [
        rule
        for rule in rules
        if _reaches(_amount(rule, payment, execution), rule.value, unknown=is_in_block)
    ]
    return max(reached, key=lambda rule: rank(rule.required), default=None)


def rank(required: Required) -> tuple[int, int]:
    """Return a key that orders requirements: each number is below ``safe`` and ``finalized``."""
    if isinstance(required, str):
        return 1 + TAGS.index(required), 0
    return 0, required


# No transfer of the token at all: not even an amount of 0 is reached.
_NOTHING = -1


def _reaches(amount: int | None, value: int, *, unknown: bool) -> bool:
    return unknown if amount is None else amount >= value


def _amount(rule: Rule, payment: Payment | None, execution: Execution | None) -> int | None:
    """Return how much of a rule's coin or token a transaction moves; ``None`` if it is unknown."""
    if rule.token is None:
        return None if payment is None else _of_coin(payment)
    if execution is None or execution.transfers is None:
        return None
    moved = [
        1 if transfer.value is None else transfer.value
        for transfer in execution.transfers
        if transfer.token == rule.token
    ]
    return sum(moved) if moved else _NOTHING


def _of_coin(payment: Payment) -> int | None:
    if payment.value is not None or payment.outputs is None:
        return payment.value
    if payment.output_count != len(payment.outputs):
        return None
    return sum(output.value for output in payment.outputs)
