"""Options of watched addresses: which payments to them become tracked transactions."""

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode

from transaction_tracker.domain import DepositRules
from transaction_tracker.domain.numbers import whole_number
from transaction_tracker.options import Section, number, option
from transaction_tracker.options.values import as_list, text_of
from transaction_tracker.sources.ethereum.checksum import checked_contract

MAX_TOKENS = 100
_MAX_AMOUNT = 2**256 - 1
_AMOUNT = 'a whole number of the smallest unit, 1 or more; as text if it is large: "1000000"'


def _amount(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("not a whole number")
    found = whole_number(value) if isinstance(value, str) else value
    if not 1 <= found <= _MAX_AMOUNT:
        raise ValueError("out of range")
    return found


def _contract(value: Any) -> str:
    return checked_contract(text_of(value))


Amount = Annotated[int, BeforeValidator(_amount)]
Contract = Annotated[str, BeforeValidator(_contract)]


class TokenSection(Section):
    """A token of which transfers to watched addresses are looked for."""

    address: Contract = option(
        ...,
        "an address, in lower case or with a valid checksum (EIP-55), and not the zero address",
        "Contract of an ERC-20 token.",
    )
    min_value: Amount = option(
        1, _AMOUNT, "Minimum amount of a deposit of this token, in its smallest unit."
    )


class AddressesSection(Section):
    """Which payments to watched addresses become tracked transactions."""

    min_value: Amount = option(
        1, _AMOUNT, "Minimum amount of a deposit of the chain's coin, in wei."
    )
    max_open: int = number(
        1_000,
        1,
        1_000_000,
        "Maximum number of open transactions for each watched address. Deposits beyond it are "
        "counted, and not tracked.",
    )
    tokens: Annotated[
        tuple[TokenSection, ...],
        NoDecode,
        BeforeValidator(as_list),
        Field(max_length=MAX_TOKENS),
    ] = ()

    @property
    def rules(self) -> DepositRules:
        """Which payments become tracked transactions."""
        minimums: dict[str | None, int] = {None: self.min_value}
        minimums |= {token.address: token.min_value for token in self.tokens}
        return DepositRules(minimums, self.max_open)

    def conflicts(self, table: str = "") -> Iterator[tuple[str, str]]:
        """Yield a token that is listed twice."""
        listed = [token.address for token in self.tokens]
        twice = next((token for token in listed if listed.count(token) > 1), None)
        if twice is not None:
            yield "tokens", f"must list each token once, got {twice} twice"
