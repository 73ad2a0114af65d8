"""Calls and messages between two nodes."""

import asyncio

import pytest

from beamish import (
    Down,
    ExitError,
    GenServer,
    NoProcessError,
    Pid,
    Registry,
    process,
)
from beamish.erlang import Atom, TermError

from .nodes import (
    B,
    Counter,
    received,
    remote_counter,
    remote_pid,
    two_nodes,
)
from .support import LIMIT_SECONDS

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
            await GenServer.call(pair.at_b("counter"), Atom("object"), LIMIT_SECONDS)

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
