"""Keccak-256, the hash function of Ethereum; ``hashlib`` has only its successor, SHA3-256.

The two differ in one byte of padding, so the tests compare this code with ``hashlib``. It is slow
(about a millisecond per block of 136 bytes), and meant for the selectors of configured errors only.
"""

_RATE_BYTES = 136
_ROUNDS = 24
_MASK = (1 << 64) - 1
KECCAK_PADDING = 0x01
SHA3_PADDING = 0x06


def keccak256(data: bytes, padding: int = KECCAK_PADDING) -> bytes:
    """Return the 32-byte hash of ``data``.

    Source:
        The Keccak reference, version 3.0; FIPS 202 for SHA3-256 (``padding=SHA3_PADDING``).
    """
    padded = bytearray(data) + bytes(_RATE_BYTES - len(data) % _RATE_BYTES)
    padded[len(data)] ^= padding
    padded[-1] ^= 0x80
    lanes = [0] * 25
    for start in range(0, len(padded), _RATE_BYTES):
        for index in range(_RATE_BYTES // 8):
            offset = start + 8 * index
            lanes[index] ^= int.from_bytes(padded[offset : offset + 8], "little")
        _permute(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def _permute(lanes: list[int]) -> None:
    """Apply Keccak-f[1600] to the 25 lanes; lane (x, y) is at ``x + 5 * y``."""
    register = 1
    for _ in range(_ROUNDS):
        _mix_columns(lanes)
        _rotate_and_move(lanes)
        _mix_rows(lanes)
        # Iota: the round's constant comes from a shift register of 8 bits.
        for bit in range(7):
            if register & 1:
                lanes[0] ^= 1 << ((1 << bit) - 1)
            register = (register << 1) ^ (0x171 if register & 0x80 else 0)


def _mix_columns(lanes: list[int]) -> None:  # theta
    columns = [
        lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)
    ]
    for x in range(5):
        parity = columns[x - 1] ^ _rotate(columns[(x + 1) % 5], 1)
        for y in range(0, 25, 5):
            lanes[x + y] ^= parity


def _rotate_and_move(lanes: list[int]) -> None:  # rho and pi
    x, y, current = 1, 0, lanes[1]
    for step in range(24):
        x, y = y, (2 * x + 3 * y) % 5
        place = x + 5 * y
        current, lanes[place] = lanes[place], _rotate(current, (step + 1) * (step + 2) // 2)


def _mix_rows(lanes: list[int]) -> None:  # chi
    for y in range(0, 25, 5):
        row = lanes[y : y + 5]
        for x in range(5):
            lanes[x + y] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5])


def _rotate(lane: int, bits: int) -> int:
    bits %= 64
    return ((lane << bits) | (lane >> (64 - bits))) & _MASK
