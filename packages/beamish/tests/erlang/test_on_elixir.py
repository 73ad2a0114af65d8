"""A node in a real cluster: every kind of signal, to and from a real Elixir node."""

import itertools
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from beamish import (
    CallTimeoutError,
    Down,
    Exit,
    ExitError,
    From,
    GenServer,
    NoProcessError,
    NoReply,
    Pid,
    call,
    process,
)
from beamish.erlang import Atom, Cookie, ErlangConnectionError, ErlangNode, RpcError

from .elixir_node import Elixir, running_elixir
from .support import (
    COOKIE,
    ERLANG_NODE,
    HOST,
    LIMIT_SECONDS,
    connect,
    running_epmd,
)

pytestmark = [pytest.mark.elixir, pytest.mark.slow]

_numbers = itertools.count(1)


class Counter(GenServer):
    def __init__(self) -> None:
        self.count = 0
        self.late: From | None = None

    @call
    def add(self, by: int) -> int:
        self.count += by
        return self.count

    def handle_call(self, request: Any, from_: From) -> Any:
        match request:
            case "crash":
                raise ValueError("broken in Python")
            case "caller":
                return from_.pid
            case "later":
                self.late = from_
                return NoReply()
            case (Atom("order"), order):
                return order
        return self.pid

    def handle_info(self, message: Any) -> None:
        if message == "reply" and self.late is not None:
            GenServer.reply(self.late, Atom("late"))


@dataclass(frozen=True)
class Order:
    id: str
    total: int


@pytest.fixture(scope="module")
def elixir() -> Iterator[Elixir]:
    with running_epmd() as port, running_elixir(port) as running:
        yield running


@dataclass(frozen=True, slots=True)
class Connected:
    """A Python node that is connected with the Elixir node."""

    node: Pid
    name: str

    def at(self, name: str) -> Any:
        return ErlangNode.via(self.node, ERLANG_NODE, name)

    async def eval(self, code: str, **values: Any) -> Any:
        """Evaluate Elixir code there; ``py`` is this node."""
        bindings = [(Atom(key), value) for key, value in values.items()]
        bindings.append((Atom("py"), Atom(self.name)))
        result, _ = await ErlangNode.rpc(
            self.node, ERLANG_NODE, "Code", "eval_string", [code, bindings], LIMIT_SECONDS
        )
        return result


@asynccontextmanager
async def connected(elixir: Elixir, **options: Any) -> AsyncIterator[Connected]:
    name = f"py{next(_numbers)}_{os.getpid()}@{HOST}"
    options = {"cookie": COOKIE, "epmd": (HOST, elixir.epmd_port), **options}
    node = await ErlangNode.start(name, **options)
    counter = await Counter.start(name="counter")
    try:
        await connect(node, ERLANG_NODE)
        yield Connected(node, name)
    finally:
        process.exit(counter, "kill")
        await GenServer.stop(node)


async def echo_of(cluster: Connected) -> Pid:
    name = f"echo{next(_numbers)}"
    pid = await cluster.eval(f"Echo.start(:{name})")
    assert isinstance(pid, Pid)
    return pid


async def received() -> Any:
    return await process.receive(LIMIT_SECONDS)


# -- From Elixir to Python


async def test_elixir_calls_python_by_name_and_pid(elixir: Elixir, attached: Pid) -> None:
    async with connected(elixir, exposed=["counter"]) as cluster:
        assert await cluster.eval("Node.ping(py)") == "pong"
        assert await cluster.eval("GenServer.call({:counter, py}, {:add, 5})") == 5
        code = "GenServer.call(GenServer.call({:counter, py}, :pid), {:add, 1000000000000000000})"
        assert await cluster.eval(code) == 5 + 10**18
        caller = await cluster.eval("{self(), GenServer.call({:counter, py}, :caller)}")
        assert caller[0] is caller[1]


async def test_python_node_is_hidden(elixir: Elixir, attached: Pid) -> None:
    async with connected(elixir) as cluster:
        assert await cluster.eval("py in Node.list()") is False
        assert await cluster.eval("py in Node.list(:hidden)") is True


@pytest.mark.parametrize("name", ["counter", "nobody"])
async def test_name_that_is_not_exposed_does_not_exist(
    elixir: Elixir, attached: Pid, name: str
) -> None:
    async with connected(elixir) as cluster:
        code = f"Caught.exit(fn -> GenServer.call({{:{name}, py}}, :pid) end)"

        assert await cluster.eval(code) == (Atom("exit"), Atom("noproc"))


async def test_timeout_in_elixir_drops_the_late_reply(elixir: Elixir, attached: Pid) -> None:
    async with connected(elixir, exposed=["counter"]) as cluster:
        code = """
        result = Caught.exit(fn -> GenServer.call({:counter, py}, :later, 10) end)
        send({:counter, py}, :reply)
        GenServer.call({:counter, py}, {:add, 0})
        {result, Process.info(self(), :message_queue_len)}
        """

        assert await cluster.eval(code) == (
            (Atom("exit"), Atom("timeout")),
            (Atom("message_queue_len"), 0),
        )


async def test_crash_in_python_is_the_reason_in_elixir(elixir: Elixir, attached: Pid) -> None:
    async with connected(elixir, exposed=["counter"]) as cluster:
        code = """
        reference = Process.monitor({:counter, py})
        {Caught.exit(fn -> GenServer.call({:counter, py}, :crash) end), Caught.down(reference)}
        """
        reason = (Atom("python"), b"ValueError", b"broken in Python")

        assert await cluster.eval(code) == ((Atom("exit"), reason), reason)


async def test_elixir_links_stops_and_kills_python_processes(elixir: Elixir, attached: Pid) -> None:
    async with connected(elixir, exposed=["counter"]) as cluster:
        code = """
        Process.flag(:trap_exit, true)
        Process.link(pid)
        if how == :kill, do: Process.exit(pid, :kill), else: GenServer.stop(pid, :shutdown)
        Caught.exits(pid)
        """
        for how, reason in (("kill", "killed"), ("stop", "shutdown")):
            pid = await Counter.start()
            assert await cluster.eval(code, pid=pid, how=Atom(how)) == reason
        assert (
            await cluster.eval(
                "Process.flag(:trap_exit, true); Process.link(pid); Caught.exits(pid)", pid=pid
            )
            == "noproc"
        )


async def test_unlinked_python_process_does_not_reach_elixir(elixir: Elixir, attached: Pid) -> None:
    async with connected(elixir) as cluster:
        pid = await Counter.start()
        code = """
        Process.flag(:trap_exit, true)
        Process.link(pid)
        Process.unlink(pid)
        reference = Process.monitor(pid)
        Process.exit(pid, :kill)
        {Caught.down(reference), Process.info(self(), :message_queue_len)}
        """

        assert await cluster.eval(code, pid=pid) == (
            Atom("killed"),
            (Atom("message_queue_len"), 0),
        )


async def test_elixir_calls_exposed_functions(elixir: Elixir, attached: Pid) -> None:
    functions = {"maths.add": lambda one, other: one + other}
    async with connected(elixir, functions=functions) as cluster:
        assert await cluster.eval(":rpc.call(py, :maths, :add, [1, 2])") == 3
        assert await cluster.eval(":erpc.call(py, :maths, :add, [1, 2])") == 3
        assert await cluster.eval(":erpc.multicall([py, py], :maths, :add, [1, 2])") == [
            (Atom("ok"), 3),
            (Atom("ok"), 3),
        ]
        hidden = await cluster.eval(':rpc.call(py, :os, :cmd, ["true"])')
        assert hidden[0] == "badrpc"
        assert "undef" in repr(hidden)
        assert "TypeError" in repr(await cluster.eval(":rpc.call(py, :maths, :add, [1, nil])"))
        spawned = "reference = Process.monitor(Node.spawn(py, fn -> 1 end)); Caught.down(reference)"
        assert await cluster.eval(spawned) == "notsup"


async def test_struct_arrives_as_its_dataclass(elixir: Elixir, attached: Pid) -> None:
    structs = {"Shop.Order": Order}
    async with connected(elixir, exposed=["counter"], structs=structs) as cluster:
        code = """
        order = struct(Shop.Order, id: "a1", total: 5)
        GenServer.call({:counter, py}, {:order, order}) == order
        """

        assert await cluster.eval(code) is True
        made = await cluster.eval('struct(Shop.Order, id: "a2", total: 6)')
        assert made == Order("a2", 6)
        assert await cluster.eval("order.total", order=Order("a3", 7)) == 7


# -- From Python to Elixir


async def test_python_calls_elixir_while_it_calls_back(elixir: Elixir, attached: Pid) -> None:
    async with connected(elixir, exposed=["counter"]) as cluster:
        echo = await echo_of(cluster)
        counter = process.whereis("counter")

        assert await GenServer.call(echo, (Atom("add"), 3)) == 3
        assert await GenServer.call(echo, Atom("caller")) is attached
        assert await GenServer.call(echo, (Atom("back"), counter)) == 1


async def test_elixir_sends_messages_to_python(elixir: Elixir, attached: Pid) -> None:
    async with connected(elixir) as cluster:
        echo = await echo_of(cluster)

        GenServer.cast(echo, (Atom("send"), attached, {Atom("a"): [1, 2.5, b"x"]}))

        assert await received() == {Atom("a"): [1, 2.5, b"x"]}


async def test_timeout_crash_and_death_of_an_elixir_server(elixir: Elixir, attached: Pid) -> None:
    async with connected(elixir) as cluster:
        echo = await echo_of(cluster)
        ref = process.monitor(echo)

        with pytest.raises(CallTimeoutError):
            await GenServer.call(echo, Atom("never"), 0.01)
        with pytest.raises(ExitError) as raised:
            await GenServer.call(echo, Atom("crash"), LIMIT_SECONDS)
        assert raised.value.reason == "broken"
        assert await received() == Down(ref, echo, Atom("broken"))
        with pytest.raises(NoProcessError):
            await GenServer.call(echo, Atom("never"), LIMIT_SECONDS)
        with pytest.raises(NoProcessError):
            await GenServer.call(cluster.at("unknown_name"), 1, LIMIT_SECONDS)


async def test_python_stops_an_elixir_server(elixir: Elixir, attached: Pid) -> None:
    async with connected(elixir) as cluster:
        echo = await echo_of(cluster)

        await GenServer.stop(echo, "shutdown")

        assert await cluster.eval("Process.alive?(pid)", pid=echo) is False


async def test_links_work_in_both_directions(elixir: Elixir, attached: Pid) -> None:
    process.flag(trap_exit=True)
    async with connected(elixir) as cluster:
        first, second = await echo_of(cluster), await echo_of(cluster)
        process.link(first)
        GenServer.cast(second, (Atom("link"), attached))
        await GenServer.call(second, (Atom("add"), 1))

        process.exit(first, "kill")
        assert await received() == Exit(first, Atom("killed"))
        with pytest.raises(ExitError):
            await GenServer.call(second, Atom("crash"), LIMIT_SECONDS)
        assert await received() == Exit(second, Atom("broken"))


async def test_rpc_to_elixir_returns_or_raises(elixir: Elixir, attached: Pid) -> None:
    async with connected(elixir) as cluster:
        args = (cluster.node, ERLANG_NODE)
        assert await ErlangNode.rpc(*args, "Enum", "sum", [[1, 2, 3]], LIMIT_SECONDS) == 6
        assert await ErlangNode.rpc(*args, "lists", "reverse", [[1, 2]], LIMIT_SECONDS) == [2, 1]
        with pytest.raises(RpcError, match="undef"):
            await ErlangNode.rpc(*args, "Enum", "nothing", [], LIMIT_SECONDS)


# -- The connection


async def test_disconnect_by_elixir_ends_monitors(elixir: Elixir, attached: Pid) -> None:
    async with connected(elixir) as cluster:
        echo = await echo_of(cluster)
        ref = process.monitor(echo)

        with pytest.raises(ExitError):  # the result has no way back
            await cluster.eval("Node.disconnect(py)")

        assert await received() == Down(ref, echo, "noconnection")
        await connect(cluster.node, ERLANG_NODE)
        assert await GenServer.call(echo, (Atom("add"), 1)) == 1


async def test_wrong_cookie_is_refused_both_ways(
    elixir: Elixir, attached: Pid, caplog: pytest.LogCaptureFixture
) -> None:
    async with connected(elixir) as cluster:
        epmd = (HOST, elixir.epmd_port)
        other = f"other{os.getpid()}@{HOST}"
        node = await ErlangNode.start(other, cookie=Cookie("wrong-one"), epmd=epmd)

        with pytest.raises(ErlangConnectionError):
            await connect(node, ERLANG_NODE)
        assert await cluster.eval("Node.ping(other)", other=Atom(other)) == "pang"

        assert "wrong-one" not in caplog.text
        await GenServer.stop(node)


async def test_killed_beam_is_noconnection(attached: Pid) -> None:
    with running_epmd() as port, running_elixir(port) as own:
        async with connected(own) as cluster:
            echo = await echo_of(cluster)
            ref = process.monitor(echo)

            own.program.kill()

            assert await received() == Down(ref, echo, "noconnection")
            with pytest.raises(ErlangConnectionError):
                await connect(cluster.node, ERLANG_NODE)
