"""Content of a transaction without its price, from which replacements are labelled."""

import json
from hashlib import blake2b
from typing import Any, Self

from msgspec import Struct

from transaction_tracker.sources.errors import MalformedError
from transaction_tracker.sources.ethereum.fields import (
    address,
    array,
    data,
    hash32,
    is_null,
    quantity,
    record,
)

_AUTHORIZATION_NUMBERS = ("chainId", "nonce", "yParity", "r", "s")


class Content(Struct, frozen=True):
    """Content of a transaction, without its price.

    Attributes:
        to: Recipient; ``None`` if the transaction creates a contract.
        parts: Parts that two transactions have in common if they are the same payment.
        is_nothing: Whether the transaction has no value, input, blobs or authorizations.
    """

    to: str | None
    parts: tuple[object, ...]
    is_nothing: bool

    @classmethod
    def of(cls, fields: dict[str, Any], key: str) -> Self:
        """Return the content of a transaction; unreadable content is equal to no other."""
        payload = fields["input"] if fields.get("input") is not None else fields.get("data")
        blobs = fields.get("blobVersionedHashes") or []
        signed = fields.get("authorizationList") or []
        try:
            to = None if is_null(fields.get("to")) else address(fields["to"], "recipient")
            amount = quantity(fields.get("value"), "value")
            called = data(payload, "input")
            carried = _carried(blobs, signed)
        except MalformedError:
            return cls.unreadable(key)
        is_nothing = amount == 0 and called == "0x" and not carried
        return cls(to, (to, amount, called, *carried), is_nothing)

    @classmethod
    def unreadable(cls, key: str) -> Self:
        """Return the content of a transaction that cannot be read: it is equal to no other."""
        return cls(None, ("unreadable", key), is_nothing=False)

    def digest(self) -> str:
        """Return a digest that is the same for the same payment, and different for others."""
        # The content can be long, and the store keeps one for each tracked transaction.
        text = " ".join(map(str, self.parts))
        return blake2b(text.encode(), digest_size=16).hexdigest()


def _carried(blobs: object, signed: object) -> list[str]:
    """Return blobs and authorizations as text, in the same form for all nodes."""
    parts = []
    if blobs:
        hashes = [hash32(item, "blob hash") for item in array(blobs, "blob hashes")]
        parts.append("blobs " + json.dumps(hashes))
    if signed:
        entries = [_authorization(item) for item in array(signed, "authorizations")]
        parts.append("authorizations " + json.dumps(entries))
    return parts


def _authorization(value: object) -> list[object]:
    fields = record(value, "authorization")
    # Earlier drafts of EIP-7702, and some nodes, name the parity of the signature ``v``.
    numbers = fields if fields.get("yParity") is not None else fields | {"yParity": fields.get("v")}
    return [
        address(fields.get("address"), "authorized address"),
        *(
            quantity(numbers.get(name), f"authorization's {name}")
            for name in _AUTHORIZATION_NUMBERS
        ),
    ]
