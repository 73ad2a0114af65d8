"""Connections of nodes, and what is exposed on them."""

import asyncio
import logging
import socket
import subprocess
import sys
from typing import Any

import pytest

from beamish import (
    Down,
    Exit,
    ExitError,
    GenServer,
    NoProcessError,
    Pid,
    debug,
    process,
)
from beamish.erlang import ErlangConnectionError, ErlangNode, RpcError

from .nodes import (
    A,
    B,
    Counter,
    received,
    remote_counter,
    start_node,
    two_nodes,
)
from .support import HOST, LIMIT_SECONDS, SECRET, connect

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
            await asyncio.wait_for(waiting, LIMIT_SECONDS)
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

        await connect(pair.a, B)

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
        await connect(a, B)

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
            await connect(pair.a, B)


async def test_both_nodes_can_connect_at_once(attached: Pid) -> None:
    a = await start_node(A)
    b = await start_node(B, addresses={A: (HOST, await ErlangNode.port(a))})
    a._process.server._addresses[B] = (HOST, await ErlangNode.port(b))

    await asyncio.gather(connect(a, B), connect(b, A))

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
    with pytest.raises(Exception) as raised:
        await start_node(A, **options)

    assert isinstance(raised.value.__cause__, error)
    assert SECRET not in str(raised.value)


async def test_missing_epmd_is_named_with_what_to_do(attached: Pid) -> None:
    with socket.socket() as bound, pytest.raises(Exception) as raised:
        bound.bind((HOST, 0))  # it does not listen, and no other program can take its port
        port = bound.getsockname()[1]
        await start_node(A, epmd=(HOST, port))

    expected = f"epmd at {HOST}:{port} does not answer; start it (epmd -daemon), or give epmd=None"
    assert expected in str(raised.value)


async def test_node_name_needs_a_host(attached: Pid) -> None:
    with pytest.raises(Exception, match="name@host"):
        await start_node("a")


def test_beamish_alone_loads_nothing_of_this() -> None:
    code = "import sys, beamish; print([m for m in sys.modules if m.startswith('beamish.erlang')])"

    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert shown.stdout.strip() == "[]"


@pytest.mark.parametrize("peer", ["b", "", A])
async def test_invalid_peer_is_refused(attached: Pid, peer: str) -> None:
    async with two_nodes() as pair:
        with pytest.raises(ValueError, match="node"):
            await connect(pair.a, peer)


async def test_node_with_our_own_name_is_refused(attached: Pid) -> None:
    b = await start_node(B)
    addresses = {B: (HOST, await ErlangNode.port(b))}
    twin = await start_node(B, addresses=addresses)

    with pytest.raises(ValueError, match="itself"):
        await connect(twin, B)

    await GenServer.stop(b)
    await GenServer.stop(twin)
