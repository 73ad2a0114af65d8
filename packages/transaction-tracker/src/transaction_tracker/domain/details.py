"""Details of a transaction: who paid whom how much, and what its execution did."""

from hashlib import blake2b
from typing import Literal, TypeAlias

from msgspec import Struct

Standard: TypeAlias = Literal["erc20", "erc721", "erc1155"]

MAX_SYMBOL_CHARACTERS = 32
# Nobody has its key. It stands for the coin in some programs, but logs name no coin.
ZERO_ADDRESS = "0x" + "0" * 40


class TokenUnit(Struct, frozen=True):
    """How the amounts of a token are shown to people, as its contract says.

    Attributes:
        decimals: Number of decimals of an amount in the token's smallest unit.
        symbol: Short name; any contract can have any name. ``None`` without a valid one.
    """

    decimals: int
    symbol: str | None = None


class Transfer(Struct, frozen=True):
    """One transfer of a token.

    Attributes:
        index: Position of its log among the logs of the transaction, from 0. The transfers of a
            batch (ERC-1155) share one log.
        standard: Standard of the token.
        token: Address of the token's contract.
        sender: Account that loses the token; the zero address for a new token.
        recipient: Account that gets the token; the zero address for a destroyed token.
        value: Amount in the token's smallest unit; ``None`` for ERC-721.
        token_id: Id of the token within its contract; ``None`` for ERC-20.
        unit: How its amount is shown; ``None`` while that is unknown, and except for ERC-20.
    """

    index: int
    standard: Standard
    token: str
    sender: str
    recipient: str
    value: int | None = None
    token_id: int | None = None
    unit: TokenUnit | None = None


class Output(Struct, frozen=True):
    """One output of a transaction on a chain without accounts.

    Attributes:
        index: Its position among the outputs, from 0.
        value: Amount in the coin's smallest unit.
        recipient: Address that is paid; ``None`` for a condition without an address.
    """

    index: int
    value: int
    recipient: str | None


class Payment(Struct, frozen=True):
    """What the sender of a transaction signed; ``None`` for each part that is unreadable.

    Attributes:
        sender: Account that sent the transaction.
        recipient: Account or contract that is called; ``None`` for a new contract, or if several
            outputs pay.
        value: Amount of the chain's coin, in its smallest unit.
        nonce: Number of the transaction among those of its sender.
        outputs: The first outputs on a chain without accounts; ``None`` on other chains.
        output_count: Number of all outputs.
    """

    sender: str | None = None
    recipient: str | None = None
    value: int | None = None
    nonce: int | None = None
    outputs: tuple[Output, ...] | None = None
    output_count: int | None = None


class Execution(Struct, frozen=True):
    """What a transaction did in its block; ``None`` for each part that is unreadable.

    Attributes:
        gas_used: Units of gas used.
        block_time: Time of the block in Unix seconds.
        contract_address: Contract that the transaction created.
        transfers: Token transfers, in the order of the logs.
        malformed_logs: Number of logs that are unreadable, or that are named like a transfer and
            are none by the standard of any token.
    """

    gas_used: int | None = None
    block_time: int | None = None
    contract_address: str | None = None
    transfers: tuple[Transfer, ...] | None = None
    malformed_logs: int = 0

    @property
    def effects(self) -> str | None:
        """Digest of the contract and the transfers; ``None`` if the logs are unreadable.

        It is compared in place of the transfers, of which a transaction can have thousands: no
        process keeps them in memory.
        """
        if self.transfers is None:
            return None
        lines = [f"{self.contract_address} {self.malformed_logs}"]
        lines += (
            f"{transfer.index} {transfer.standard} {transfer.token} {transfer.sender} "
            f"{transfer.recipient} {transfer.value} {transfer.token_id}"
            for transfer in self.transfers
        )
        return blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()


class Details(Struct, frozen=True):
    """Details of a transaction, as far as they are known.

    Attributes:
        payment: What its sender signed; ``None`` until a provider sends the transaction.
        execution: What it did; ``None`` while it is in no block.
    """

    payment: Payment | None = None
    execution: Execution | None = None


NO_DETAILS = Details()
