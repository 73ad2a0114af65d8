"""Keccak-256, the hash function of Ethereum; ``hashlib`` has only its successor, SHA3-256."""

from Crypto.Hash import keccak


def keccak256(data: bytes) -> bytes:
    """Return the 32-byte hash of ``data``.

    Source:
        The Keccak reference, version 3.0.
    """
    return keccak.new(digest_bits=256, data=data).digest()
