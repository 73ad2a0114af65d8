"""Two nodes in one program, connected over a socket of this machine, and servers for them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from beamish import Fail, From, GenServer, NoReply, Pid, Stop, Supervisor, call, cast, process
from beamish.erlang import Atom, ErlangNode

from .support import COOKIE, HOST, LIMIT_SECONDS, connect

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
        await connect(pid, B)
        second = ErlangNode.whereis("b")
        assert second is not None
        yield Pair(pid, second)


class Counter(GenServer):
    def __init__(self, start: int = 0) -> None:
        self.count = start
        self.late: From | None = None

    @call
    def add(self, by: int) -> int:
        self.count += by
        return self.count

    @call
    async def wait(self) -> None:
        await asyncio.Event().wait()

    @call
    def later(self, *, from_: From) -> NoReply:
        self.late = from_
        return NoReply()

    @cast
    def reset(self) -> None:
        self.count = 0

    def handle_call(self, request: Any, from_: From) -> Any:
        match request:
            case "pid":
                return self.pid
            case "caller":
                return from_.pid
            case "crash":
                raise ValueError("broken")
            case "refuse":
                return Fail(LookupError("not there"))
            case "stop":
                return Stop("shutdown", reply=Atom("ok"))
            case "object":
                return object()
            case (b"send", Pid() as to, message):
                process.send(to, message)
                return None
            case (b"link", Pid() as to):
                process.link(to)
                return None
        return (Atom("echo"), request)

    def handle_info(self, message: Any) -> None:
        match message:
            case (Atom("add"), int(by)):
                self.count += by
            case (Atom("reply"), value):
                assert self.late is not None
                GenServer.reply(self.late, value)


class Trapping(GenServer, trap_exit=True):
    def __init__(self, tell: Pid) -> None:
        self.tell = tell

    def handle_call(self, request: Any, from_: From) -> Any:
        return self.pid

    def handle_info(self, message: Any) -> None:
        process.send(self.tell, message)


async def received() -> Any:
    return await process.receive(LIMIT_SECONDS)


async def remote_counter(pair: Pair) -> Pid:
    """Start a counter at ``b``, exposed as ``counter``, and return its pid as ``a`` sees it."""
    await Counter.start(name="counter")
    return await remote_pid(pair)


async def remote_pid(pair: Pair) -> Pid:
    pid = await GenServer.call(pair.at_b("counter"), Atom("pid"))
    assert isinstance(pid, Pid)
    return pid
