"""Token transfers: every contract of this chain is an ERC-20 token with unlimited amounts.

A call of ``transfer(address,uint256)`` that succeeds makes the log of a transfer. Nothing keeps the
balances.

Source:
    ERC-20, "transfer" and "Transfer".
"""

from dataclasses import dataclass

from txtrack_devnode.transaction import Transaction

TRANSFER_EVENT = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
_SELECTOR = "0xa9059cbb"
_WORD_DIGITS = 64
_CALL_DIGITS = len(_SELECTOR) + 2 * _WORD_DIGITS
_ADDRESS_DIGITS = 40


@dataclass(frozen=True, slots=True)
class TokenTransfer:
    """A transfer of ``value`` of the smallest units of ``token``."""

    token: str
    sender: str
    recipient: str
    value: int

    @property
    def topics(self) -> list[str]:
        """The event and its two accounts, as a log has them."""
        return [TRANSFER_EVENT, _word(self.sender), _word(self.recipient)]

    @property
    def data(self) -> str:
        """The value, as a log has it."""
        return f"0x{self.value:064x}"


def transfer_data(recipient: str, value: int) -> str:
    """Return the data of a transaction to a token that transfers some of it."""
    return f"{_SELECTOR}{_word(recipient)[2:]}{value:064x}"


def transfer_of(tx: Transaction) -> TokenTransfer | None:
    """Return the transfer that a successful transaction makes; ``None`` if it makes none."""
    if tx.to is None or len(tx.data) != _CALL_DIGITS or not tx.data.startswith(_SELECTOR):
        return None
    words = tx.data[len(_SELECTOR) :]
    recipient = f"0x{words[_WORD_DIGITS - _ADDRESS_DIGITS : _WORD_DIGITS]}"
    return TokenTransfer(tx.to, tx.sender, recipient, int(words[_WORD_DIGITS:], 16))


def _word(address: str) -> str:
    return f"0x{'0' * (_WORD_DIGITS - _ADDRESS_DIGITS)}{address[2:]}"
