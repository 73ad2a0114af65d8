"""Deposits to watched addresses: what a transaction pays to them, and the addresses themselves."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, get_args

from transaction_tracker.domain.details import Details
from transaction_tracker.domain.registration import check_metadata, check_required
from transaction_tracker.domain.states import Required

# Why a payment to a watched address is passed over. It is counted for the address.
PassedOver: TypeAlias = Literal["below_minimum", "over_limit", "failed"]
PASSED_OVER: tuple[PassedOver, ...] = get_args(PassedOver)

# A transaction can pay any number of addresses, and each of its events names them.
MAX_DEPOSITS = 200
MAX_ADDRESSES = 1_000_000
MAX_BLOCK_NUMBER = 2**53


@dataclass(frozen=True, slots=True)
class Deposit:
    """What one transaction pays to one watched address, in one currency.

    Attributes:
        address: The watched address, in canonical form.
        token: Contract of the token; ``None`` for the chain's coin.
        value: Sum of the transaction's payments, in the smallest unit. 0 for a payment that its
            receipt denies, which is kept and not shown.
    """

    address: str
    token: str | None
    value: int


# By transaction id, in the order of the block.
Paid: TypeAlias = Mapping[str, tuple[Deposit, ...]]


def proven(deposits: Iterable[Deposit], details: Details) -> tuple[Deposit, ...]:
    """Return deposits with the amounts in the details of their transaction.

    One provider says which transactions of a block pay watched addresses, and no other provider is
    asked about that answer. The details come from the transaction and its receipt, which all
    providers must agree on before an end. Without this rule, one false answer would be credited.

    Args:
        deposits: What the transaction pays, as one provider says.
        details: The transaction and its receipt. A part that is unknown changes nothing.

    Returns:
        The deposits in the same order. Those that the details deny have the value 0, and stay: the
        details can be false too, and be corrected.
    """
    return tuple(replace(deposit, value=_amount(deposit, details)) for deposit in deposits)


def _amount(deposit: Deposit, details: Details) -> int:
    """Return how much details pay to an address in a currency, or what is told if they are silent.

    A payment of an address to itself is not a deposit.
    """
    payment, execution = details.payment, details.execution
    if deposit.token is None:
        if payment is None or payment.value is None:
            return deposit.value
        is_paid = payment.recipient == deposit.address != payment.sender
        return payment.value if is_paid else 0
    if execution is None or execution.transfers is None:
        return deposit.value
    return sum(
        transfer.value or 0
        for transfer in execution.transfers
        if (transfer.standard, transfer.token) == ("erc20", deposit.token)
        and transfer.recipient == deposit.address != transfer.sender
    )


@dataclass(frozen=True, slots=True)
class AddressToWatch:
    """An address to watch, with the options of the transactions that pay it.

    Attributes:
        source: Name of the source in the database.
        address: The address, in canonical form.
        required: Number of confirmations that make a deposit final, or a tag of the chain.
            ``None`` for the setting of the source.
        metadata: JSON object of the user, as text; returned with each event of a deposit.
        from_block: Lowest block that is searched for earlier deposits; ``None`` for none.

    Raises:
        ValueError: A value is invalid; the message names it.
    """

    source: str
    address: str
    required: Required | None = None
    metadata: str = "{}"
    from_block: int | None = None

    def __post_init__(self) -> None:
        if self.required is not None:
            check_required(self.required)
        check_metadata(self.metadata)
        if self.from_block is not None and not 0 <= self.from_block <= MAX_BLOCK_NUMBER:
            raise ValueError(
                f"from_block must be from 0 to {MAX_BLOCK_NUMBER}, got {self.from_block}"
            )


@dataclass(frozen=True, slots=True)
class DepositRules:
    """Which payments to watched addresses become tracked transactions.

    Attributes:
        minimums: Minimum amount of each token that is accepted, in its smallest unit; of the
            chain's coin by the key ``None``. Payments of other tokens are not looked for.
        max_open: Maximum number of open transactions for each address.
    """

    minimums: Mapping[str | None, int] = field(default_factory=lambda: {None: 1})
    max_open: int = 1_000

    @property
    def tokens(self) -> tuple[str, ...]:
        """Contracts of the accepted tokens."""
        return tuple(token for token in self.minimums if token is not None)

    def accepts(self, deposit: Deposit) -> bool:
        """Return whether a payment reaches the minimum of its currency."""
        minimum = self.minimums.get(deposit.token)
        return minimum is not None and deposit.value >= minimum
