"""Decode the bytes that a reverted call returns: Solidity's own errors and custom errors."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from transaction_tracker.sources.ethereum.keccak import keccak256

_WORD = 32
_ERROR_STRING = bytes.fromhex("08c379a0")
_PANIC = bytes.fromhex("4e487b71")

# Solidity documentation, "Panic via assert and Error via require".
_PANICS = {
    0x00: "generic compiler panic",
    0x01: "assertion failed",
    0x11: "arithmetic overflow or underflow",
    0x12: "division or modulo by zero",
    0x21: "value outside of an enum",
    0x22: "storage byte array incorrectly encoded",
    0x31: "pop from an empty array",
    0x32: "array index out of bounds",
    0x41: "too much memory allocated, or array too large",
    0x51: "call of an internal function that is not initialized",
}

_SIGNATURE = re.compile(r"(?:error\s+)?([A-Za-z_$][\w$]*)\s*\((.*)\)\s*;?")
_TYPE = re.compile(r"[a-z]+\d*(?:\[\d*\])*")
# ``uint`` and ``int`` stand for these in a selector.
_ALIASES = {"uint": "uint256", "int": "int256"}


@dataclass(frozen=True, slots=True)
class CustomError:
    """A custom error of a contract.

    Attributes:
        name: Name of the error.
        parameters: Type and name of each parameter; the name can be empty.
    """

    name: str
    parameters: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, signature: str) -> Self:
        """Parse a signature such as ``InsufficientBalance(uint256 available, uint256 required)``.

        Raises:
            ValueError: The text is not a signature of an error; tuples are not supported.
        """
        found = _SIGNATURE.fullmatch(signature.strip())
        if found is None:
            raise ValueError(
                f'must be a signature such as "Unpaid(uint256 due)", got {signature!r}'
            )
        parts = [part.split() for part in found[2].split(",")] if found[2].strip() else []
        for part in parts:
            if not 1 <= len(part) <= 2 or _TYPE.fullmatch(part[0]) is None:
                raise ValueError(f"{' '.join(part)!r} is not a parameter, in {signature!r}")
        return cls(found[1], tuple((_canonical(part[0]), "".join(part[1:])) for part in parts))

    @property
    def selector(self) -> bytes:
        """First four bytes of the returned data."""
        text = f"{self.name}({','.join(kind for kind, _ in self.parameters)})"
        return keccak256(text.encode())[:4]

    def explain(self, arguments: bytes) -> str:
        """Return the error with its arguments, or with raw bytes if they cannot be decoded."""
        try:
            shown = [
                f"{name}={value}" if name else value
                for (_, name), value in zip(
                    self.parameters, _decode(self.parameters, arguments), strict=True
                )
            ]
        except (ValueError, UnicodeDecodeError):
            return f"{self.name}(0x{arguments.hex()})"
        return f"{self.name}({', '.join(shown)})"


@dataclass(frozen=True, slots=True)
class ErrorTable:
    """Custom errors by selector; empty by default."""

    errors: Mapping[bytes, CustomError] = field(default_factory=dict)

    @classmethod
    def of(cls, signatures: Iterable[str]) -> Self:
        """Return the table of errors with these signatures.

        Raises:
            ValueError: A text is not a signature; the message contains it.
        """
        errors = [CustomError.of(signature) for signature in signatures]
        return cls({error.selector: error for error in errors})


def explain(returned: bytes, errors: ErrorTable) -> str | None:
    """Return the reason in the returned bytes as text; ``None`` without a reason."""
    if not returned:
        return None
    selector, arguments = returned[:4], returned[4:]
    if selector == _ERROR_STRING and len(arguments) >= 2 * _WORD:
        return _string(arguments)
    if selector == _PANIC and len(arguments) == _WORD:
        code = int.from_bytes(arguments)
        return f"panic 0x{code:02x}: {_PANICS.get(code, 'unknown code')}"
    known = errors.errors.get(selector)
    if known is not None:
        return known.explain(arguments)
    if len(selector) < 4:
        return f"0x{returned.hex()}"
    return f"custom error 0x{selector.hex()}" + (f": 0x{arguments.hex()}" if arguments else "")


def _string(arguments: bytes) -> str:
    # The stated length can exceed the bytes, because nodes truncate long reasons.
    size = int.from_bytes(arguments[_WORD : 2 * _WORD])
    return arguments[2 * _WORD :][: min(size, len(arguments))].decode(errors="replace")


def _canonical(kind: str) -> str:
    base, bracket, dimensions = kind.partition("[")
    return _ALIASES.get(base, base) + bracket + dimensions


def _decode(parameters: tuple[tuple[str, str], ...], arguments: bytes) -> list[str]:
    values = []
    for index, (kind, _) in enumerate(parameters):
        word = _slice(arguments, index * _WORD, _WORD)
        values.append(_value(kind, word, arguments))
    return values


def _value(kind: str, word: bytes, arguments: bytes) -> str:
    """Decode one parameter; raise ``ValueError`` for types that are not supported.

    Source:
        Solidity documentation, "Contract ABI Specification".
    """
    number = int.from_bytes(word)
    if kind in ("string", "bytes"):
        size = int.from_bytes(_slice(arguments, number, _WORD))
        content = _slice(arguments, number + _WORD, size)
        return repr(content.decode()) if kind == "string" else f"0x{content.hex()}"
    if kind.endswith("]"):
        raise ValueError("arrays are not decoded")
    if kind == "address":
        return f"0x{word[-20:].hex()}"
    if kind == "bool":
        return "true" if number else "false"
    if kind.startswith("uint"):
        return str(number)
    if kind.startswith("int"):
        return str(int.from_bytes(word, signed=True))
    if kind.startswith("bytes"):
        return f"0x{word[: int(kind.removeprefix('bytes'))].hex()}"
    raise ValueError(f"unknown type {kind}")


def _slice(data: bytes, start: int, size: int) -> bytes:
    found = data[start : start + size]
    if len(found) != size:
        raise ValueError("the data is too short")
    return found
