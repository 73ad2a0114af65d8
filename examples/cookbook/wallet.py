"""A wallet with one key, in place of the signer that you have: a library, a service or a machine.

The tracker never needs a key; only the program that pays has one.
"""

from dataclasses import dataclass

from coincurve import PrivateKey

from transaction_tracker.sources.ethereum import EthereumSource, rlp
from transaction_tracker.sources.ethereum.keccak import keccak256
from txtrack_devnode import Transaction

GAS = 21_000


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed transaction, with the hash that it has wherever it is sent."""

    tx: str
    raw: str


class Wallet:
    """Signs payments of one account on one chain."""

    def __init__(self, key: bytes, chain_id: int) -> None:
        self._key = PrivateKey(key)
        self._chain_id = chain_id
        public = self._key.public_key.format(compressed=False)
        self.address = f"0x{keccak256(public[1:])[-20:].hex()}"

    def sign(self, nonce: int, to: str, wei: int, gas_price: int) -> Signed:
        """Return a signed payment; the same arguments give the same transaction.

        Source:
            EIP-155, for a chain that also accepts the transactions of before EIP-1559.
        """
        fields: list[rlp.Item] = [
            *map(rlp.integer, (nonce, gas_price, GAS)),
            bytes.fromhex(to[2:]),
            rlp.integer(wei),
            b"",
        ]
        digest = keccak256(rlp.encode([*fields, rlp.integer(self._chain_id), b"", b""]))
        signature = self._key.sign_recoverable(digest, hasher=None)
        v = signature[64] + 35 + 2 * self._chain_id
        r, s = (int.from_bytes(part, "big") for part in (signature[:32], signature[32:64]))
        raw = rlp.encode([*fields, *map(rlp.integer, (v, r, s))])
        return Signed(f"0x{keccak256(raw).hex()}", f"0x{raw.hex()}")


def read_raw(raw: str) -> Transaction:
    """Read a signed payment for the development node, which cannot check a signature itself."""
    known = EthereumSource("http://127.0.0.1:1", 31337).signed(raw)
    payment, price = known.payment, known.max_fee
    assert payment is not None
    assert payment.sender is not None
    assert payment.nonce is not None
    assert price is not None
    return Transaction(
        hash=known.id,
        chain_id=31337,
        sender=payment.sender,
        nonce=payment.nonce,
        to=payment.recipient,
        value=payment.value or 0,
        data="0x",
        gas=GAS,
        max_fee=price,
        priority_fee=price,
        type=0,
    )
