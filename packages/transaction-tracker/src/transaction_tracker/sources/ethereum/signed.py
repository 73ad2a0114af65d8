"""Read signed transactions as they are sent to a node: content, hash and sender."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from coincurve import PublicKey

from transaction_tracker.domain import (
    MAX_NONCE,
    MAX_RAW_BYTES,
    InvalidTransactionError,
    Transaction,
)
from transaction_tracker.sources.ethereum import decode, rlp
from transaction_tracker.sources.ethereum.fields import RAW
from transaction_tracker.sources.ethereum.keccak import keccak256
from transaction_tracker.sources.ethereum.profiles import ChainProfile

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_BLOB = 0x03

_LEGACY = ("nonce", "gasPrice", "gas", "to", "value", "input", "v", "r", "s")
_SIGNATURE = ("yParity", "r", "s")
_START = ("chainId", "nonce")
_PAID = ("gas", "to", "value", "input", "accessList")
_DYNAMIC = ("maxPriorityFeePerGas", "maxFeePerGas")
_TYPED = {
    0x01: (*_START, "gasPrice", *_PAID, *_SIGNATURE),
    0x02: (*_START, *_DYNAMIC, *_PAID, *_SIGNATURE),
    _BLOB: (
        *(*_START, *_DYNAMIC, *_PAID),
        *("maxFeePerBlobGas", "blobVersionedHashes", *_SIGNATURE),
    ),
    0x04: (*_START, *_DYNAMIC, *_PAID, "authorizationList", *_SIGNATURE),
}
_AUTHORIZATION = ("chainId", "address", "nonce", "yParity", "r", "s")


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """A signed transaction.

    Attributes:
        transaction: The transaction, as a node would show it.
        chain_id: Chain that it is signed for; ``None`` if it is valid on every chain.
        kind: Type of the transaction; 0 for a legacy one.
    """

    transaction: Transaction
    chain_id: int | None
    kind: int

    @property
    def can_be_sent(self) -> bool:
        """Whether it is complete: nodes accept a blob transaction only with its blobs."""
        return self.kind != _BLOB


def read_signed(text: str, profile: ChainProfile, chain_id: int | None) -> SignedTransaction:
    """Return the transaction that a raw signed transaction contains.

    Args:
        text: The bytes in hexadecimal.
        profile: Profile of the chain.
        chain_id: The chain, for which it must be signed; ``None`` if the chain is not known yet.

    Raises:
        InvalidTransactionError: It cannot be decoded, is signed for another chain, or its sender
            cannot be recovered. The message does not contain the transaction.

    Source:
        EIP-155, EIP-2718, EIP-2930, EIP-1559, EIP-4844 and EIP-7702.
    """
    raw = _bytes(text)
    try:
        kind, fields, signing = _parsed(raw)
        shown = {name: _value(name, item) for name, item in fields.items()}
        signed_for = _chain_of(kind, fields)
        sender = _sender(fields, kind, keccak256(signing))
    except ValueError as error:
        raise _invalid(f"cannot decode it: {error}") from None
    if chain_id is not None and signed_for not in (None, chain_id):
        raise _invalid(f"it is signed for chain {signed_for}, this is chain {chain_id}")
    shown |= {"hash": "0x" + keccak256(raw).hex(), "type": hex(kind), "from": sender}
    return SignedTransaction(decode.transaction(shown, profile), signed_for, kind)


def _invalid(message: str) -> InvalidTransactionError:
    return InvalidTransactionError(f"raw: {message}", "raw")


def _bytes(text: str) -> bytes:
    if not isinstance(text, str) or len(text) > 2 + 2 * MAX_RAW_BYTES:
        raise _invalid(f"expected text of up to {MAX_RAW_BYTES:,} bytes in hexadecimal")
    if RAW.fullmatch(text) is None:
        raise _invalid("expected 0x and an even number of hexadecimal digits")
    return bytes.fromhex(text[2:])


def _parsed(raw: bytes) -> tuple[int, dict[str, rlp.Item], bytes]:
    """Return the type, the fields, and the bytes that were signed."""
    if not raw:
        raise ValueError("it is empty")
    if raw[0] >= 0xC0:
        fields = _named(_LEGACY, rlp.decode(raw))
        unsigned = list(fields.values())[:6]
        protected = _number(fields["v"], "v") >= 35
        chain = [rlp.integer(_chain_of_v(fields)), b"", b""] if protected else []
        return 0, fields, rlp.encode([*unsigned, *chain])
    kind = raw[0]
    if kind not in _TYPED:
        raise ValueError(f"unknown transaction type 0x{kind:02x}")
    items = rlp.decode(raw[1:])
    if kind == _BLOB and isinstance(items, list) and items and isinstance(items[0], list):
        raise ValueError("send a blob transaction without its blobs, commitments and proofs")
    fields = _named(_TYPED[kind], items)
    return kind, fields, bytes((kind,)) + rlp.encode(list(fields.values())[:-3])


def _named(names: Sequence[str], items: rlp.Item) -> dict[str, rlp.Item]:
    if not isinstance(items, list) or len(items) != len(names):
        got = f"{len(items)} fields" if isinstance(items, list) else "bytes"
        raise ValueError(f"expected a list of {len(names)} fields, got {got}")
    return dict(zip(names, items, strict=True))


# -- Fields


def _value(name: str, item: rlp.Item) -> Any:
    """Return a field as nodes show it in JSON."""
    return _READERS.get(name, _quantity)(item, name)


def _number(item: rlp.Item, name: str) -> int:
    if not isinstance(item, bytes) or len(item) > 32 or item[:1] == b"\0":
        raise ValueError(f"{name} must be a number of up to 32 bytes without leading zeros")
    return int.from_bytes(item, "big")


def _quantity(item: rlp.Item, name: str) -> str:
    return hex(_number(item, name))


def _nonce(item: rlp.Item, name: str) -> str:
    if _number(item, name) > MAX_NONCE:
        raise ValueError(f"{name} must be at most {MAX_NONCE}")
    return _quantity(item, name)


def _of_size(size: int) -> Callable[[rlp.Item, str], str]:
    def read(item: rlp.Item, name: str) -> str:
        if not isinstance(item, bytes) or len(item) != size:
            raise ValueError(f"{name} must have {size} bytes")
        return "0x" + item.hex()

    return read


def _to(item: rlp.Item, name: str) -> str | None:
    return None if item == b"" else _of_size(20)(item, name)


def _data(item: rlp.Item, name: str) -> str:
    if not isinstance(item, bytes):
        raise ValueError(f"{name} must be bytes, not a list")
    return "0x" + item.hex()


def _items(item: rlp.Item, name: str) -> list[rlp.Item]:
    if not isinstance(item, list):
        raise ValueError(f"{name} must be a list")
    return item


def _access_list(item: rlp.Item, name: str) -> list[Any]:
    found = []
    for entry in _items(item, name):
        fields = _named(("address", "storageKeys"), entry)
        keys = _items(fields["storageKeys"], "storageKeys")
        found.append(
            {
                "address": _of_size(20)(fields["address"], "address"),
                "storageKeys": [_of_size(32)(key, "storage key") for key in keys],
            }
        )
    return found


def _hashes(item: rlp.Item, name: str) -> list[str]:
    return [_of_size(32)(entry, name) for entry in _items(item, name)]


def _authorizations(item: rlp.Item, name: str) -> list[Any]:
    return [
        {key: _value(key, value) for key, value in _named(_AUTHORIZATION, entry).items()}
        for entry in _items(item, name)
    ]


_READERS: dict[str, Callable[[rlp.Item, str], Any]] = {
    "nonce": _nonce,
    "to": _to,
    "address": _of_size(20),
    "input": _data,
    "accessList": _access_list,
    "blobVersionedHashes": _hashes,
    "authorizationList": _authorizations,
}


# -- Signature


def _chain_of_v(fields: dict[str, rlp.Item]) -> int:
    return (_number(fields["v"], "v") - 35) // 2


def _chain_of(kind: int, fields: dict[str, rlp.Item]) -> int | None:
    if kind:
        return _number(fields["chainId"], "chainId")
    return _chain_of_v(fields) if _number(fields["v"], "v") >= 35 else None


def _parity(kind: int, fields: dict[str, rlp.Item]) -> int:
    if kind:
        parity = _number(fields["yParity"], "yParity")
    else:
        v = _number(fields["v"], "v")
        parity = (v - 35) % 2 if v >= 35 else v - 27
    if parity not in (0, 1):
        raise ValueError("the parity of its signature must be 0 or 1")
    return parity


def _sender(fields: dict[str, rlp.Item], kind: int, digest: bytes) -> str:
    """Return the address that signed.

    Source:
        EIP-2: of the two signatures of one message, nodes accept only the one with the lower ``s``.
    """
    parity = _parity(kind, fields)
    r, s = _number(fields["r"], "r"), _number(fields["s"], "s")
    if not (0 < r < _ORDER and 0 < s <= _ORDER // 2):
        raise ValueError("the numbers r and s of its signature are out of range")
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes((parity,))
    try:
        key = PublicKey.from_signature_and_message(signature, digest, hasher=None)
    except Exception:
        raise ValueError("its sender cannot be recovered from the signature") from None
    return "0x" + keccak256(key.format(compressed=False)[1:])[-20:].hex()
