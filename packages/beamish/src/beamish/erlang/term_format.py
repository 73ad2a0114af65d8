"""The external term format: encode values for Erlang, and decode Erlang's terms.

An `ErlangNode` does this by itself. These functions are for files, queues and databases that hold
the result of ``term_to_binary``.

When not to use it: between Python programs. JSON is readable everywhere.
"""

from collections.abc import Mapping
from typing import Any

from beamish.erlang._format.context import TermContext
from beamish.erlang._format.decoder import decode
from beamish.erlang._format.encoder import encode
from beamish.erlang.errors import TermError
from beamish.erlang.structs import Structs


def to_binary(term: Any, *, structs: Mapping[str, type] | None = None) -> bytes:
    """Encode a value as an Erlang term; `beamish.erlang.terms` lists the types.

    Args:
        term: The value.
        structs: Maps names of Elixir structs to dataclasses.

    Raises:
        TermError: The value, or a part of it, has no form in Erlang.

    Source:
        ``erlang:term_to_binary/1``.
    """
    return bytes(encode(TermContext(Structs(structs)), term))


def from_binary(
    data: bytes, *, structs: Mapping[str, type] | None = None, text: bool = False
) -> Any:
    """Decode one Erlang term.

    Args:
        data: The encoded term.
        structs: Maps names of Elixir structs to dataclasses.
        text: Whether binaries that are valid UTF-8 become ``str``.

    Raises:
        TermError: ``data`` is not exactly one term, or uses compression.

    Source:
        ``erlang:binary_to_term/1``.
    """
    terms = decode(TermContext(Structs(structs), text=text), data)
    if not terms:
        raise TermError("the data must hold one term; got no bytes")
    return terms[0]
