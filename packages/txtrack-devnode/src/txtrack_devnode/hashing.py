"""Hashes and addresses of the development node.

A real chain hashes with Keccak-256, which the standard library lacks. This one uses SHA3-256
over the canonical text of what is hashed: as long, as unique, and the same in every run, but
no client can recompute it from a header as it could on a real chain.
"""

import hashlib

_SEPARATOR = "\x1f"


def digest(*parts: object) -> str:
    """Hash ``parts``, in order, to 32 bytes written as ``0x`` and 64 hexadecimal digits."""
    text = _SEPARATOR.join(map(str, parts))
    return "0x" + hashlib.sha3_256(text.encode()).hexdigest()


def address(*parts: object) -> str:
    """Derive a 20-byte address from ``parts``."""
    return "0x" + digest("address", *parts)[-40:]
