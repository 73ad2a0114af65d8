"""What encoding and decoding depend on besides the term: pids, structs and text."""

from typing import Any

from beamish._diagnostics.brief import brief
from beamish.erlang.errors import TermError
from beamish.erlang.structs import Structs
from beamish.erlang.terms import Atom, ProcessIdentity
from beamish.pid import Pid

VERSION = 131
"""The first byte of every encoded term."""

MAX_DEPTH = 200
"""Maximum nesting of terms, far below Python's limit of recursion."""
MAX_TERMS = 4_000_000
"""Maximum number of elements in one message: a byte can stand for an object of 64 bytes."""
MAX_INTEGER_BYTES = 524_288
"""Maximum size of an integer; the BEAM has the same limit (4,194,304 bits)."""
MAX_ATOM_CHARACTERS = 255
"""Maximum length of an atom, that of the BEAM."""

TAG = {
    "atom_latin1": 100,
    "small_atom_latin1": 115,
    "atom": 118,
    "small_atom": 119,
    "small_integer": 97,
    "integer": 98,
    "small_big": 110,
    "large_big": 111,
    "float": 70,
    "small_tuple": 104,
    "large_tuple": 105,
    "nil": 106,
    "string": 107,
    "list": 108,
    "binary": 109,
    "bit_binary": 77,
    "map": 116,
    "pid": 88,
    "reference": 90,
    "port": 89,
    "v4_port": 120,
    "function": 112,
    "export": 113,
}
"""The tags of the external term format; those that no node sends since OTP 25 are left out."""

ATOM_VALUES: dict[str, Any] = {"true": True, "false": False, "nil": None}
"""The atoms that are Python values."""


MAX_SHOWN_CHARACTERS = 80
"""Maximum length of a value in an error message."""


def shown(value: object) -> str:
    """Return ``value`` as text for an error message; its own ``repr`` can be huge or fail."""
    return brief(value, MAX_SHOWN_CHARACTERS)


class TermContext:
    """How pids, structs and binaries are converted; a node has its own subclass.

    Args:
        structs: Structs that become dataclasses.
        text: Whether binaries that are valid UTF-8 become ``str``.
    """

    def __init__(self, structs: Structs | None = None, *, text: bool = False) -> None:
        self.structs = structs or Structs()
        self.text = text

    def identity(self, pid: Pid) -> ProcessIdentity | tuple[Atom, Atom]:
        """Return the parts of ``pid``, or ``(name, node)`` for the destination of a name.

        Raises:
            TermError: It has none, because no node runs.
        """
        raise TermError(f"{pid!r} can be sent only by an ErlangNode")

    def pid(self, identity: ProcessIdentity) -> Any:
        """Return the value of a pid."""
        return identity
