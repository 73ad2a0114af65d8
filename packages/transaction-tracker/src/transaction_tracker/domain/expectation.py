"""What a payment must be, as its receiver expects it, and whether a transaction is that payment."""

from collections.abc import Iterator
from dataclasses import dataclass

from transaction_tracker.domain.details import Details, Execution, Output, Payment
from transaction_tracker.domain.states import State

# In these states, the transaction has paid nothing, or it was taken back.
_PAYS_NOTHING: frozenset[State] = frozenset(
    (
        "mined_reverted",
        "failed",
        "superseded",
        "replaced",
        "dropped",
        "expired",
        "invalid",
        "reversed",
    )
)
_MAX_VALUE = 2**256


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a payment must be; ``None`` for what can be anything.

    Attributes:
        sender: Account that pays.
        recipient: Account that gets the payment; required with ``token``.
        value: Exact amount, in the smallest unit of the coin or the token.
        min_value: Minimum amount, in the same unit; excludes ``value``.
        token: Contract of a token. Then the amount is the sum of this token's transfers to the
            recipient; a token of ERC-721 counts 1. Default: the chain's coin.

    Raises:
        ValueError: The values exclude each other, or nothing is expected.
    """

    sender: str | None = None
    recipient: str | None = None
    value: int | None = None
    min_value: int | None = None
    token: str | None = None

    def __post_init__(self) -> None:
        if self.value is not None and self.min_value is not None:
            raise ValueError("give value or min_value, not both")
        for name in ("value", "min_value"):
            amount = getattr(self, name)
            if amount is not None and not 0 <= amount < _MAX_VALUE:
                raise ValueError(f"{name} must be from 0 to 2 ** 256 - 1, got {amount}")
        if self.token is not None and self.recipient is None:
            raise ValueError("token needs the recipient: give to")
        wanted = (self.sender, self.recipient, self.value, self.min_value)
        if all(value is None for value in wanted):
            raise ValueError("expect at least one of from, to, value and min_value")


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between a payment and its expectation.

    Attributes:
        field: Name of the field: ``"state"``, ``"from"``, ``"to"``, ``"token"``, ``"value"`` or
            ``"min_value"``.
        expected: Expected value, as text.
        actual: Actual value, as text; ``None`` if there is none.
    """

    field: str
    expected: str
    actual: str | None


def compare(
    expectation: Expectation, state: State, details: Details
) -> tuple[bool | None, tuple[Difference, ...]]:
    """Return whether a transaction is the expected payment, and the differences.

    Returns:
        ``None`` in place of the answer while it is unknown: of a token, until the transaction is
        in a block.
    """
    if state in _PAYS_NOTHING:
        return False, (Difference("state", "confirmed", state),)
    if expectation.token is None:
        found = _of_coin(expectation, details)
    else:
        found = _of_token(expectation, expectation.token, details.execution)
    if found is None:
        return None, ()
    differences, is_known = found
    if differences:
        return False, tuple(differences)
    return (True if is_known else None), ()


# Differences, and whether all that is expected is known.
_Found = tuple[list[Difference], bool]


def _of_coin(expected: Expectation, details: Details) -> _Found | None:
    payment = details.payment
    if payment is None:
        return None
    if payment.outputs is not None:
        return _of_outputs(expected, payment.outputs, payment.output_count)
    accounts = {
        "from": (expected.sender, payment.sender),
        "to": (expected.recipient, payment.recipient),
    }
    differences = [
        Difference(name, wanted, actual)
        for name, (wanted, actual) in accounts.items()
        if wanted is not None and actual is not None and wanted != actual
    ]
    creates = details.execution is not None and details.execution.contract_address is not None
    if expected.recipient is not None and payment.recipient is None and creates:
        differences.append(Difference("to", expected.recipient, None))
    if payment.value is not None:
        differences += _of_value(expected, payment.value)
    return differences, _knows(expected, payment)


def _of_outputs(expected: Expectation, outputs: tuple[Output, ...], count: int | None) -> _Found:
    """Compare what the outputs pay to the recipient, or to all if any recipient can be paid.

    The sender is unknown: an input names no account.
    """
    paid = [output for output in outputs if expected.recipient in (None, output.recipient)]
    is_complete = count == len(outputs) and expected.sender is None
    if not paid and is_complete:
        first = outputs[0].recipient if outputs else None
        return [Difference("to", str(expected.recipient), first)], True
    if not is_complete:
        return [], False
    return list(_of_value(expected, sum(output.value for output in paid))), True


def _knows(expected: Expectation, payment: Payment) -> bool:
    has_value = expected.value is not None or expected.min_value is not None
    wanted = (
        (expected.sender is not None, payment.sender),
        (expected.recipient is not None, payment.recipient),
        (has_value, payment.value),
    )
    return all(actual is not None for is_wanted, actual in wanted if is_wanted)


def _of_token(expected: Expectation, token: str, execution: Execution | None) -> _Found | None:
    if execution is None or execution.transfers is None:
        return None
    of_token = [transfer for transfer in execution.transfers if transfer.token == token]
    if not of_token:
        return [Difference("token", token, None)], True
    recipient, sender = str(expected.recipient), expected.sender
    received = [transfer for transfer in of_token if transfer.recipient == recipient]
    if not received:
        return [Difference("to", recipient, of_token[0].recipient)], True
    paid = [transfer for transfer in received if sender in (None, transfer.sender)]
    if not paid:
        return [Difference("from", str(sender), received[0].sender)], True
    total = sum(1 if transfer.value is None else transfer.value for transfer in paid)
    return list(_of_value(expected, total)), True


def _of_value(expected: Expectation, actual: int) -> Iterator[Difference]:
    if expected.value is not None and actual != expected.value:
        yield Difference("value", str(expected.value), str(actual))
    if expected.min_value is not None and actual < expected.min_value:
        yield Difference("min_value", str(expected.min_value), str(actual))
