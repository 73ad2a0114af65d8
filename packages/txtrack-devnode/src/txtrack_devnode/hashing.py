"""Hashes and addresses of the development node.

A real chain hashes with Keccak-256, which the standard library lacks. This one hashes the text of
the values with SHA3-256: hashes have the same length and are reproducible, but a client cannot
compute the hash of a block from its header.
"""

import hashlib

_SEPARATOR = "\x1f"


def digest(*parts: object) -> str:
    """Return the 32-byte hash of ``parts`` as ``0x`` and 64 hexadecimal digits."""
    text = _SEPARATOR.join(map(str, parts))
    return "0x" + hashlib.sha3_256(text.encode()).hexdigest()


def address(*parts: object) -> str:
    """Return a 20-byte address that is derived from ``parts``."""
    return "0x" + digest("address", *parts)[-40:]
