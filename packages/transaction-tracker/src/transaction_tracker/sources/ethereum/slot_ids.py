"""Ids of transactions by their sender and nonce, which name a slot: ``0xsender:nonce``."""

import re

from transaction_tracker.domain import MAX_NONCE, InvalidTransactionError
from transaction_tracker.sources.ethereum.checksum import checked_address
from transaction_tracker.sources.ethereum.fields import HASH_PATTERN
from transaction_tracker.sources.ethereum.profiles import ChainProfile

ID_PATTERN = f"{HASH_PATTERN}|^0x[0-9a-f]{{40}}:(0|[1-9][0-9]{{0,14}})$"

_NONCE = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)


def canonical(text: str, profile: ChainProfile) -> str:
    """Return the id of a sender and a nonce, with the address in lower case.

    Args:
        text: Address and nonce, separated by a colon.
        profile: Profile of the chain.

    Raises:
        InvalidTransactionError: The text is not such an id, or the chain has no nonces of accounts.
    """
    sender, _, nonce = text.partition(":")
    if not profile.account_nonces:
        raise InvalidTransactionError(
            f"accounts have no nonces on {profile.name}: register the hash of the transaction",
            "sender",
        )
    try:
        address = checked_address(sender)
    except ValueError as error:
        raise InvalidTransactionError(f"sender: {error}", "sender") from None
    if _NONCE.fullmatch(nonce) is None or int(nonce) > MAX_NONCE:
        raise InvalidTransactionError(
            f"nonce: expected a whole number from 0 to {MAX_NONCE}, got {nonce[:100]!r}",
            "nonce",
        )
    return f"{address}:{nonce}"
