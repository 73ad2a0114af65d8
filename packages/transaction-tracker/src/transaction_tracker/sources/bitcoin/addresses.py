"""Addresses: the text form of the usual scripts of outputs.

Source:
    BIP 13 and BIP 16 (base58), BIP 173 (bech32), BIP 350 (bech32m).
"""

from collections.abc import Iterable

from transaction_tracker.sources.bitcoin.networks import NetworkProfile
from transaction_tracker.sources.bitcoin.raw import hash256

MAX_ADDRESS_CHARACTERS = 90

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_CHECKS = {0: 1}  # the checksum's constant for version 0; that of all other versions:
_BECH32M = 0x2BC8_30A3
_GENERATORS = (0x3B6A_57B2, 0x2650_8E6D, 0x1EA1_19FA, 0x3D42_33DD, 0x2A14_62B3)
_NO_DATA = 0x6A  # OP_RETURN: the output cannot be spent


def is_data(script: bytes) -> bool:
    """Return whether an output only carries data, and can never be spent."""
    return script[:1] == bytes((_NO_DATA,))


def address_of(script: bytes, network: NetworkProfile) -> str | None:
    """Return the address of a script; ``None`` if it has no address."""
    if len(script) == 25 and script[:3] == b"\x76\xa9\x14" and script[23:] == b"\x88\xac":
        return _base58(network.key_version, script[3:23])
    if len(script) == 23 and script[:2] == b"\xa9\x14" and script[22:] == b"\x87":
        return _base58(network.script_version, script[2:22])
    if 4 <= len(script) <= 42 and script[1] == len(script) - 2:
        version = 0 if script[0] == 0 else script[0] - 0x50
        # Version 0 is for a key or a script; any other length is not a valid program.
        if 0 < version <= 16 or (version == 0 and len(script) in (22, 34)):
            return _segwit(network.prefix, version, script[2:])
    return None


def checked(text: str, network: NetworkProfile) -> str:
    """Return an address in canonical form.

    Raises:
        ValueError: It is not an address of this network, or its checksum is wrong.
    """
    found = _decoded(text, network) if len(text) <= MAX_ADDRESS_CHARACTERS else None
    if found is None:
        raise ValueError(
            f"must be an address of the network {network.name} with a valid checksum, "
            f"got {text[:MAX_ADDRESS_CHARACTERS]!r}"
        )
    return found


def _decoded(text: str, network: NetworkProfile) -> str | None:
    if text.lower().startswith(f"{network.prefix}1"):
        # BIP 173: an address is in lower case or in upper case, never mixed.
        return _canonical_segwit(text.lower(), network) if text in _cases(text) else None
    try:
        number = 0
        for letter in text:
            number = number * 58 + _BASE58.index(letter)
        data = number.to_bytes(25, "big")
    except (ValueError, OverflowError):
        return None
    is_known = data[0] in (network.key_version, network.script_version)
    written = _base58(data[0], data[1:21])
    return written if is_known and written == text else None


def _cases(text: str) -> tuple[str, str]:
    return text.lower(), text.upper()


def _canonical_segwit(text: str, network: NetworkProfile) -> str | None:
    letters = text[len(network.prefix) + 1 :]
    if len(letters) < 8 or any(letter not in _BECH32 for letter in letters):
        return None
    version, *groups = map(_BECH32.index, letters[:-6])
    program = _regrouped(groups, 5, 8)
    if program is None or not 2 <= len(program) <= 40 or version > 16:
        return None
    if version == 0 and len(program) not in (20, 32):
        return None
    return text if _segwit(network.prefix, version, bytes(program)) == text else None


def _base58(version: int, data: bytes) -> str:
    whole = bytes((version,)) + data
    whole += hash256(whole)[:4]
    number, letters = int.from_bytes(whole, "big"), ""
    while number:
        number, rest = divmod(number, 58)
        letters = _BASE58[rest] + letters
    return _BASE58[0] * (len(whole) - len(whole.lstrip(b"\0"))) + letters


def _segwit(prefix: str, version: int, program: bytes) -> str:
    groups = [version, *(_regrouped(program, 8, 5) or ())]
    expanded = [
        *(ord(letter) >> 5 for letter in prefix),
        0,
        *(ord(letter) & 31 for letter in prefix),
    ]
    check = _polymod([*expanded, *groups, *[0] * 6]) ^ _CHECKS.get(version, _BECH32M)
    groups += [(check >> 5 * (5 - at)) & 31 for at in range(6)]
    return f"{prefix}1{''.join(_BECH32[group] for group in groups)}"


def _regrouped(groups: Iterable[int], size: int, new_size: int) -> list[int] | None:
    """Return bits in groups of another size; ``None`` if bits other than zeros are left over."""
    value, bits, found = 0, 0, []
    for group in groups:
        value, bits = (value << size) | group, bits + size
        while bits >= new_size:
            bits -= new_size
            found.append((value >> bits) & ((1 << new_size) - 1))
    rest = value & ((1 << bits) - 1)
    if new_size > size:  # to bytes: at most 4 padding bits, all zero
        return None if bits >= size or rest else found
    return found if not bits else [*found, (rest << (new_size - bits)) & ((1 << new_size) - 1)]


def _polymod(values: Iterable[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FF_FFFF) << 5 ^ value
        for at, generator in enumerate(_GENERATORS):
            check ^= generator if (top >> at) & 1 else 0
    return check
