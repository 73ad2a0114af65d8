"""The bloom filter of a block's logs: whether a block can have a log of a contract."""

from collections.abc import Collection
from functools import lru_cache

from transaction_tracker.sources.ethereum.keccak import keccak256

_BLOOM_BYTES = 256
_BITS_MASK = 8 * _BLOOM_BYTES - 1


def can_contain(bloom: bytes | None, topic: str, contracts: Collection[str]) -> bool:
    """Return whether a block can have a log with a topic of one of some contracts.

    Args:
        bloom: The filter in the block; ``None`` if it is unknown.
        topic: The topic, as 32 bytes in hexadecimal.
        contracts: Addresses of the contracts.
    """
    if bloom is None:
        return True
    filled = int.from_bytes(bloom)
    wanted = _bits(topic)
    if filled & wanted != wanted:
        return False
    return any(filled & _bits(contract) == _bits(contract) for contract in contracts)


@lru_cache(maxsize=4_096)
def _bits(value: str) -> int:
    """Return the bits that an address or a topic sets.

    Source:
        The Yellow Paper, section 4.3.1, M3:2048: three bits, each by the low 11 bits of a pair of
        bytes of the hash.
    """
    digest = keccak256(bytes.fromhex(value.removeprefix("0x")))
    bits = 0
    for at in (0, 2, 4):
        bits |= 1 << (int.from_bytes(digest[at : at + 2]) & _BITS_MASK)
    return bits
