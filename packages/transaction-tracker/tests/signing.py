"""Sign transactions, as a wallet does."""

from coincurve import PrivateKey

from transaction_tracker.sources.ethereum import rlp
from transaction_tracker.sources.ethereum.keccak import keccak256

# Made up.
KEY = bytes(range(1, 33))
SENDER = "0x" + keccak256(PrivateKey(KEY).public_key.format(compressed=False)[1:])[-20:].hex()


def legacy(
    nonce: int, to: str, value: int = 1, *, chain_id: int | None = 1, data: bytes = b""
) -> str:
    """Return a signed payment of ``SENDER``; with a chain id, as EIP-155 has it."""
    fields: list[rlp.Item] = [
        rlp.integer(nonce),
        rlp.integer(10**9),
        rlp.integer(21_000),
        bytes.fromhex(to[2:]),
        rlp.integer(value),
        data,
    ]
    chain = [] if chain_id is None else [rlp.integer(chain_id), b"", b""]
    digest = keccak256(rlp.encode([*fields, *chain]))
    signature = PrivateKey(KEY).sign_recoverable(digest, hasher=None)
    v = signature[64] + (27 if chain_id is None else 35 + 2 * chain_id)
    numbers = [int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big")]
    return "0x" + rlp.encode([*fields, *map(rlp.integer, (v, *numbers))]).hex()
