"""Calls, messages, monitors, links and exits between two nodes."""

import asyncio
import logging
import subprocess
import sys
from typing import Any

import pytest

from beamish import (
    CallTimeoutError,
    Down,
    Exit,
    ExitError,
    Fail,
    From,
    GenServer,
    NoProcessError,
    NoReply,
    Pid,
    Registry,
    Stop,
    Supervisor,
    call,
    cast,
    debug,
    process,
)
from beamish.erlang import Atom, ErlangConnectionError, ErlangNode, RpcError, TermError

from .nodes import A, B, Pair, start_node, two_nodes
from .support import HOST, LIMIT_SECONDS, SECRET


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


# -- Calls, casts and messages


async def test_methods_are_called_with_their_arguments(attached: Pid) -> None:
    async with two_nodes(exposed=["counter"]) as pair:
        await Counter.start(name="counter")

        assert await Counter.add(pair.at_b("counter"), 5) == 5
        assert await Counter.add(await remote_pid(pair), 2**70) == 5 + 2**70
        Counter.reset(pair.at_b("counter"))
        assert await Counter.add(pair.at_b("counter"), 1) == 1


async def test_request_that_fits_no_method_goes_to_handle_call(attached: Pid) -> None:
    async with two_nodes(exposed=["counter"]) as pair:
        await Counter.start(name="counter")

        for request in ((Atom("add"),), (Atom("add"), 1, 2), (Atom("unknown"), 1), ("add", 1)):
            reply = await GenServer.call(pair.at_b("counter"), request)
            assert reply[0] == "echo"


async def test_pid_of_a_process_is_the_same_object_while_it_is_held(attached: Pid) -> None:
    async with two_nodes(exposed=["counter"]) as pair:
        pid = await remote_counter(pair)

        assert await remote_pid(pair) is pid
        assert repr(pid).startswith("#PID<b@127.0.0.1.")


async def test_called_process_knows_its_caller(attached: Pid) -> None:
    async with two_nodes(exposed=["counter"]) as pair:
        await Counter.start(name="counter")

        assert await GenServer.call(pair.at_b("counter"), Atom("caller")) is attached


async def test_messages_keep_their_order_with_calls(attached: Pid) -> None:
    async with two_nodes(exposed=["counter"]) as pair:
        pid = await remote_counter(pair)

        for _ in range(100):
            process.send(pid, (Atom("add"), 1))
        assert await Counter.add(pid, 0) == 100
        process.send_after(pid, (Atom("add"), 7), 0.01)
        while await Counter.add(pid, 0) != 107:
            await asyncio.sleep(0.01)


async def test_process_of_the_other_node_sends_to_a_pid_that_it_was_given(attached: Pid) -> None:
    async with two_nodes(exposed=["counter"]) as pair:
        await Counter.start(name="counter")

        await GenServer.call(pair.at_b("counter"), (b"send", attached, [1, Atom("x")]))

        assert await received() == [1, Atom("x")]


async def test_later_reply_reaches_the_caller(attached: Pid) -> None:
    async with two_nodes(exposed=["counter"]) as pair:
        pid = await remote_counter(pair)
        waiting = asyncio.ensure_future(Counter.later(pid))
        await Counter.add(pid, 0)

        process.send(pid, (Atom("reply"), 42))

        assert await waiting == 42


async def test_unknown_and_hidden_names_have_no_process(attached: Pid) -> None:
    async with two_nodes(exposed=["nobody"]) as pair:
        await Counter.start(name="hidden")

        for name in ("nobody", "hidden"):
            with pytest.raises(NoProcessError):
                await Counter.add(pair.at_b(name), 1)
            ref = process.monitor(pair.at_b(name))
            match await received():
                case Down(found, _, "noproc"):
                    assert found is ref


async def test_name_is_exposed_for_any_destination(attached: Pid) -> None:
    await Registry.start_link(keys="unique", name="reg")
    key = Registry.via("reg", "mine")
    async with two_nodes(exposed={"shown": key}) as pair:
        with pytest.raises(NoProcessError):
            await Counter.add(pair.at_b("shown"), 1)

        await Counter.start(name=key)

        assert await Counter.add(pair.at_b("shown"), 3) == 3


async def test_pid_that_was_never_sent_is_not_reachable(attached: Pid) -> None:
    async with two_nodes(exposed=["counter"]) as pair:
        pid = await remote_counter(pair)
        secret = await Counter.start()
        identity = pid.identity._replace(number=secret.serial)  # type: ignore[attr-defined]
        guessed = pair.a._process.server._table.pid(identity)

        process.exit(guessed, "kill")
        with pytest.raises(NoProcessError):
            await Counter.add(guessed, 1)

        assert process.is_alive(secret)


async def test_reply_that_cannot_be_sent_ends_the_call(
    attached: Pid, caplog: pytest.LogCaptureFixture
) -> None:
    async with two_nodes(exposed=["counter"]) as pair:
        await Counter.start(name="counter")

        with pytest.raises(ExitError) as raised:
            await GenServer.call(pair.at_b("counter"), Atom("object"), timeout=None)

        assert raised.value.reason == (Atom("python"), b"object", b"cannot be sent to Erlang")
        assert "cannot be sent" in caplog.text
        assert await Counter.add(pair.at_b("counter"), 1) == 1


async def test_request_that_cannot_be_sent_is_refused_in_the_caller(attached: Pid) -> None:
    async with two_nodes(exposed=["counter"]) as pair:
        await Counter.start(name="counter")

        with pytest.raises(TermError):
            await GenServer.call(pair.at_b("counter"), object())
        with pytest.raises(TermError):
            process.send(pair.at_b("counter"), object())

        assert pair.a._process.server._table.peers[B].calls == {}


async def test_refused_request_is_an_error_tuple(attached: Pid) -> None:
    async with two_nodes(exposed=["counter"]) as pair:
        await Counter.start(name="counter")

        refused = await GenServer.call(pair.at_b("counter"), Atom("refuse"))

        assert refused == (Atom("error"), (Atom("python"), b"LookupError", b"not there"))


async def test_stop_with_a_reply_replies_first(attached: Pid) -> None:
    async with two_nodes(exposed=["counter"]) as pair:
        await Counter.start(name="counter")

        assert await GenServer.call(pair.at_b("counter"), Atom("stop")) == "ok"


# -- Time-outs, cancellation and the end of a called process


async def test_timeout_and_cancellation_forget_the_call(attached: Pid) -> None:
    async with two_nodes(exposed=["counter"]) as pair:
        pid = await remote_counter(pair)
        peer = pair.a._process.server._table.peers[B]

        with pytest.raises(CallTimeoutError) as raised:
            await Counter.later.timeout(0.01)(pid)
        assert "messages waiting" not in str(raised.value)
        waiting = asyncio.ensure_future(Counter.later.timeout(None)(pid))
        await Counter.add(pid, 0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        process.send(pid, (Atom("reply"), 1))  # late
        await Counter.add(pid, 0)

        assert peer.calls == {}
        while pair.b._process.server._table.peers[A].monitors:  # the last one is on its way
            await asyncio.sleep(0.01)


async def test_crash_of_the_called_process_ends_call_and_monitor(attached: Pid) -> None:
    async with two_nodes(exposed=["counter"]) as pair:
        pid = await remote_counter(pair)
        ref = process.monitor(pid)
        reason = (Atom("python"), b"ValueError", b"broken")

        with pytest.raises(ExitError) as raised:
            await GenServer.call(pid, Atom("crash"))

        assert raised.value.reason == reason
        assert await received() == Down(ref, pid, reason)
        with pytest.raises(NoProcessError):
            await Counter.add(pid, 1)


async def test_demonitor_prevents_the_message(attached: Pid) -> None:
    async with two_nodes(exposed=["counter"]) as pair:
        pid = await remote_counter(pair)
        kept, removed = process.monitor(pid), process.monitor(pid)

        process.demonitor(removed)
        await GenServer.stop(pid)

        assert await received() == Down(kept, pid, "normal")
        with pytest.raises(TimeoutError):
            await process.receive(0)


async def test_stop_waits_until_the_process_has_ended(attached: Pid) -> None:
    async with two_nodes(exposed=["counter"]) as pair:
        pid = await remote_counter(pair)

        await GenServer.stop(pid, "shutdown")

        assert process.whereis("counter") is None
        with pytest.raises(ExitError):
            await GenServer.stop(pid)


# -- Links and exit signals


async def test_exit_of_a_linked_process_arrives_from_the_other_node(attached: Pid) -> None:
    process.flag(trap_exit=True)
    async with two_nodes(exposed=["counter"]) as pair:
        pid = await remote_counter(pair)
        process.link(pid)
        process.link(pid)

        process.exit(pid, "kill")

        assert await received() == Exit(pid, "killed")


async def test_link_to_a_dead_process_is_a_noproc_exit(attached: Pid) -> None:
    process.flag(trap_exit=True)
    async with two_nodes(exposed=["counter"]) as pair:
        pid = await remote_counter(pair)
        await GenServer.stop(pid)

        process.link(pid)

        assert await received() == Exit(pid, "noproc")


async def test_own_exit_reaches_a_linked_process_of_the_other_node(attached: Pid) -> None:
    async with two_nodes(exposed=["trapping"]) as pair:
        await Trapping.start(attached, name="trapping")
        pid = await GenServer.call(pair.at_b("trapping"), Atom("pid"))
        mine = await Counter.start()
        await GenServer.call(mine, (b"link", pid))

        await GenServer.stop(mine, "shutdown")

        match await received():
            case Exit(sender, reason):
                assert repr(sender).startswith("#PID<a@127.0.0.1.")
                assert reason == "shutdown"


async def test_unlinked_processes_do_not_end_each_other(attached: Pid) -> None:
    process.flag(trap_exit=True)
    async with two_nodes(exposed=["counter"]) as pair:
        pid = await remote_counter(pair)
        process.link(pid)
        process.unlink(pid)

        await GenServer.stop(pid, "crash-like")
        with pytest.raises(TimeoutError):
            await process.receive(0)

        assert pair.a._process.server._table.peers[B].links == {}


async def test_exit_signal_without_trap_ends_a_process_of_the_other_node(attached: Pid) -> None:
    async with two_nodes(exposed=["counter"]) as pair:
        pid = await remote_counter(pair)
        ref = process.monitor(pid)

        process.exit(pid, "normal")
        process.exit(pid, ("shutdown", "moved"))

        assert await received() == Down(ref, pid, (Atom("shutdown"), Atom("moved")))


async def test_supervisor_restarts_a_process_of_the_other_node(attached: Pid) -> None:
    async def start(pair: Pair) -> Pid:
        await Counter.start(name="counter")
        pid = await remote_pid(pair)
        process.link(pid)
        return pid

    async with two_nodes(exposed=["counter"]) as pair:
        spec = Counter.child_spec().replace(id="remote", start=start, args=(pair,))
        supervisor = await Supervisor.start_link([spec])
        (child,) = await Supervisor.which_children(supervisor)
        first = child.pid
        ref = process.monitor(pair.at_b("counter"))

        process.exit(first, "kill")

        assert (await received()).ref is ref
        while (await Supervisor.which_children(supervisor))[0].pid in (None, first):
            await asyncio.sleep(0.01)
        await Supervisor.stop(supervisor)
        assert process.whereis("counter") is None


# -- The connection


async def test_lost_connection_ends_calls_monitors_and_links(attached: Pid) -> None:
    process.flag(trap_exit=True)
    async with two_nodes(exposed=["counter"]) as pair:
        pid = await remote_counter(pair)
        ref = process.monitor(pid)
        process.link(pid)
        waiting = asyncio.ensure_future(Counter.wait.timeout(None)(pid))
        await asyncio.sleep(0)

        await ErlangNode.disconnect(pair.b, A)

        with pytest.raises(ExitError) as raised:
            await waiting
        assert raised.value.reason == "noconnection"
        assert await received() == Down(ref, pid, "noconnection")
        assert await received() == Exit(pid, "noconnection")
        assert process.whereis("counter") is None  # its half of the link is broken, too


async def test_everything_without_a_connection_is_noconnection(attached: Pid) -> None:
    process.flag(trap_exit=True)
    async with two_nodes(exposed=["counter"]) as pair:
        pid = await remote_counter(pair)
        await ErlangNode.disconnect(pair.a, B)

        with pytest.raises(ExitError, match="noconnection"):
            await Counter.add(pid, 1)
        process.send(pid, 1)
        Counter.reset(pid)
        ref = process.monitor(pid)
        process.link(pid)

        assert await received() == Down(ref, pid, "noconnection")
        assert await received() == Exit(pid, "noconnection")


async def test_nodes_connect_again(attached: Pid) -> None:
    async with two_nodes(exposed=["counter"]) as pair:
        pid = await remote_counter(pair)
        assert await ErlangNode.disconnect(pair.a, B)
        assert not await ErlangNode.disconnect(pair.a, B)

        await ErlangNode.connect(pair.a, B)

        assert await Counter.add(pid, 1) == 1
        assert await ErlangNode.peers(pair.a) == [B]


async def test_wrong_cookie_is_refused_without_being_shown(
    attached: Pid, caplog: pytest.LogCaptureFixture
) -> None:
    from beamish.erlang import Cookie

    caplog.set_level(logging.DEBUG)
    b = await start_node(B)
    addresses = {B: (HOST, await ErlangNode.port(b))}
    a = await start_node(A, cookie=Cookie("other-secret"), addresses=addresses)

    with pytest.raises(ErlangConnectionError):
        await ErlangNode.connect(a, B)

    assert await ErlangNode.peers(b) == []
    status = f"{await debug.get_status(a)} {await debug.get_state(a)} {process.info(a)}"
    for secret in (SECRET, "other-secret"):
        assert secret not in caplog.text + status
    await GenServer.stop(a)
    await GenServer.stop(b)


async def test_node_that_ends_closes_its_connections(attached: Pid) -> None:
    async with two_nodes(exposed=["counter"]) as pair:
        pid = await remote_counter(pair)
        ref = process.monitor(pid)

        process.exit(pair.b, "kill")

        assert await received() == Down(ref, pid, "noconnection")
        with pytest.raises(ErlangConnectionError):
            await ErlangNode.connect(pair.a, B)


async def test_both_nodes_can_connect_at_once(attached: Pid) -> None:
    a = await start_node(A)
    b = await start_node(B, addresses={A: (HOST, await ErlangNode.port(a))})
    a._process.server._addresses[B] = (HOST, await ErlangNode.port(b))

    await asyncio.gather(ErlangNode.connect(a, B), ErlangNode.connect(b, A))

    assert await ErlangNode.peers(a) == [B]
    assert await ErlangNode.peers(b) == [A]
    await GenServer.stop(a)
    await GenServer.stop(b)


async def test_node_without_a_listener_only_connects(attached: Pid) -> None:
    async with two_nodes({"listen": None}, exposed=["counter"]) as pair:
        await Counter.start(name="counter")

        assert await ErlangNode.port(pair.a) is None
        assert await Counter.add(pair.at_b("counter"), 1) == 1


async def test_via_of_a_node_that_does_not_run_has_no_process(attached: Pid) -> None:
    with pytest.raises(NoProcessError):
        await Counter.add(ErlangNode.via("nowhere", B, "counter"), 1)


async def test_name_of_another_node_cannot_be_taken(attached: Pid) -> None:
    async with two_nodes() as pair:
        with pytest.raises(TypeError, match="another node"):
            await Counter.start(name=pair.at_b("counter"))


async def test_functions_that_look_into_a_process_refuse_a_remote_one(attached: Pid) -> None:
    async with two_nodes(exposed=["counter"]) as pair:
        pid = await remote_counter(pair)

        for look in (process.is_alive, process.info, lambda p: process.register(p, "here")):
            with pytest.raises(TypeError, match="another node"):
                look(pid)
        with pytest.raises(TypeError, match="another node"):
            await debug.get_state(pid)


# -- Exposed functions


def divide(one: int, other: int) -> float:
    return one / other


async def slowly(value: Any) -> Any:
    await asyncio.sleep(0)
    return value


async def test_exposed_functions_are_called(attached: Pid) -> None:
    functions = {"maths.divide": divide, "Elixir.My.Maths.slowly": slowly, "maths.object": object}
    async with two_nodes(functions=functions) as pair:
        assert await ErlangNode.rpc(pair.a, B, "maths", "divide", [6, 4]) == 1.5
        assert await ErlangNode.rpc(pair.a, B, "My.Maths", "slowly", [None]) is None
        for module, function, args, reason in (
            ("maths", "divide", [1, 0], "ZeroDivisionError"),
            ("maths", "divide", [1], "TypeError"),
            ("os", "system", ["true"], "undef"),
            ("maths", "object", [], "cannot be sent"),
        ):
            with pytest.raises(RpcError, match=reason):
                await ErlangNode.rpc(pair.a, B, module, function, args)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"cookie": SECRET}, TypeError),
        ({"exposed": "counter"}, TypeError),
        ({"exposed": ["rex"]}, ValueError),
        ({"functions": {"divide": divide}}, TypeError),
        ({"structs": {"Shop.User": dict}}, TypeError),
    ],
)
async def test_bad_options_are_refused(
    attached: Pid, options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(Exception) as raised:  # noqa: B017 - a StartError, whose cause is checked
        await start_node(A, **options)

    assert isinstance(raised.value.__cause__, error)
    assert SECRET not in str(raised.value)


async def test_node_name_needs_a_host(attached: Pid) -> None:
    with pytest.raises(Exception, match="name@host"):
        await start_node("a")


def test_beamish_alone_loads_nothing_of_this() -> None:
    code = "import sys, beamish; print([m for m in sys.modules if m.startswith('beamish.erlang')])"

    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert shown.stdout.strip() == "[]"
