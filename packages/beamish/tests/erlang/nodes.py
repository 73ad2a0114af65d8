"""Two nodes in one program, connected over a socket of this machine."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from beamish import Pid, Supervisor, process
from beamish.erlang import ErlangNode

from .support import COOKIE, HOST

A, B = "a@127.0.0.1", "b@127.0.0.1"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two connected nodes: ``a`` calls, ``b`` exposes."""

    a: Pid
    b: Pid

    def at_b(self, name: str) -> Any:
        return ErlangNode.via(self.a, B, name)


async def start_node(node: str, **options: Any) -> Pid:
    """Start a node without epmd."""
    options = {"cookie": COOKIE, "epmd": None, **options}
    return await ErlangNode.start_link(node, **options)


@asynccontextmanager
async def two_nodes(a: dict[str, Any] | None = None, **b: Any) -> AsyncIterator[Pair]:
    """Run two connected nodes under a supervisor; kill what the test has started meanwhile.

    Args:
        a: Options of the first node.
        b: Options of the second.
    """
    b = {"cookie": COOKIE, "epmd": None, **b}
    before = set(process.processes())
    try:
        async with _running(a or {}, b) as pair:
            yield pair
    finally:
        for pid in process.processes():
            if pid not in before:
                process.exit(pid, "kill")


@asynccontextmanager
async def _running(a: dict[str, Any], b: dict[str, Any]) -> AsyncIterator[Pair]:
    async with Supervisor.running(
        [ErlangNode.child_spec(B, **b, name="b").replace(restart="temporary")]
    ) as supervisor:
        port = await ErlangNode.port("b")
        options = {"cookie": COOKIE, "epmd": None, "addresses": {B: (HOST, port)}, **a}
        first = ErlangNode.child_spec(A, **options, name="a").replace(restart="temporary")
        pid = await Supervisor.start_child(supervisor, first)
        await ErlangNode.connect(pid, B)
        second = ErlangNode.whereis("b")
        assert second is not None
        yield Pair(pid, second)
