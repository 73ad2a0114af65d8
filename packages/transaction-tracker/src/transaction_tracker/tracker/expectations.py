"""Parse what a user expects of a payment."""

import re
from collections.abc import Callable, Mapping

from transaction_tracker.domain import ZERO_ADDRESS, Expectation

_ACCOUNTS = ("from", "to", "token")
_AMOUNTS = ("value", "min_value")
FIELDS = (*_ACCOUNTS, *_AMOUNTS)

_DIGITS = re.compile(r"[0-9]{1,78}", re.ASCII)  # 2 ** 256 has 78 digits


class InvalidExpectationError(ValueError):
    """An expectation is invalid.

    Attributes:
        field: Name of the field; ``None`` if the error is about several.
    """

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


# On a chain without accounts, these would be unknown for as long as the transaction is tracked.
_WITHOUT_ACCOUNTS = {
    "from": "this chain has no accounts, so that a payment names no sender; leave from out",
    "token": "this chain has no tokens; leave token out",
}


def parse(
    given: Mapping[str, object], account: Callable[[str], str], *, has_accounts: bool = True
) -> Expectation:
    """Return the expectation of a user.

    Args:
        given: Fields ``from``, ``to`` and ``token`` with addresses, ``value`` or ``min_value`` with
            an amount in the smallest unit: an integer, or its decimal text.
        account: Function that checks an address, and returns it in canonical form.
        has_accounts: Whether accounts pay; otherwise nobody can know who paid.

    Raises:
        InvalidExpectationError: A field is unknown or invalid.
    """
    for name in given:
        if name not in FIELDS:
            raise InvalidExpectationError(f"unknown field; expected {', '.join(FIELDS)}", str(name))
        if not has_accounts and name in _WITHOUT_ACCOUNTS:
            raise InvalidExpectationError(_WITHOUT_ACCOUNTS[name], name)
    accounts = {name: _account(name, given[name], account) for name in _ACCOUNTS if name in given}
    if accounts.get("token") == ZERO_ADDRESS:
        raise InvalidExpectationError(
            "expected the contract of a token, got the zero address; leave token out for the coin",
            "token",
        )
    amounts = {name: _amount(name, given[name]) for name in _AMOUNTS if name in given}
    try:
        return Expectation(
            sender=accounts.get("from"),
            recipient=accounts.get("to"),
            value=amounts.get("value"),
            min_value=amounts.get("min_value"),
            token=accounts.get("token"),
        )
    except ValueError as error:
        raise InvalidExpectationError(str(error)) from None


def _account(name: str, value: object, account: Callable[[str], str]) -> str:
    if not isinstance(value, str):
        raise InvalidExpectationError(f"expected an address as text, got {value!r}"[:200], name)
    try:
        return account(value)
    except ValueError as error:
        raise InvalidExpectationError(str(error), name) from None


def _amount(name: str, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    raise InvalidExpectationError(
        "expected a whole number of the smallest unit (wei, or the token's) as text, such as "
        f'"1000000000000000000"; got {value!r}'[:300],
        name,
    )
