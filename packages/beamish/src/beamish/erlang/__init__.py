"""A beamish program as a node of a real Erlang cluster; see `ErlangNode`.

Not loaded by ``import beamish``.
"""

from beamish.erlang._node.remote import RemotePid
from beamish.erlang._wire.cookie import Cookie
from beamish.erlang.errors import ErlangConnectionError, RpcError, TermError
from beamish.erlang.node import ErlangNode, Tls
from beamish.erlang.term_format import from_binary, to_binary
from beamish.erlang.terms import (
    Atom,
    BitString,
    ErlangFunction,
    ErlangPort,
    ErlangRef,
    ImproperList,
    MapPairs,
    OpaqueFunction,
    ProcessIdentity,
)

__all__ = [
    "Atom",
    "BitString",
    "Cookie",
    "ErlangConnectionError",
    "ErlangFunction",
    "ErlangNode",
    "ErlangPort",
    "ErlangRef",
    "ImproperList",
    "MapPairs",
    "OpaqueFunction",
    "ProcessIdentity",
    "RemotePid",
    "RpcError",
    "TermError",
    "Tls",
    "from_binary",
    "to_binary",
]
