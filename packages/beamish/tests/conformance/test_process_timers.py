"""``send_after``, ``cancel_timer``, ``read_timer``.

Source: Erlang ``erlang:send_after/3``, ``cancel_timer/1``, ``read_timer/1``.
"""

import asyncio

import pytest

from beamish import GenServer, Ref, process

from .virtual_time import on_virtual_clock


class Quiet(GenServer):
    def handle_info(self, message: object) -> None:
        pass


async def test_message_arrives_after_the_time() -> None:
    async with process.attach() as me:
        loop = asyncio.get_running_loop()
        started = loop.time()

        ref = process.send_after(me, "ring", 0.02)

        assert isinstance(ref, Ref)
        assert await process.receive(timeout=50) == "ring"
        assert loop.time() - started >= 0.015


async def test_zero_seconds_is_still_asynchronous() -> None:
    async with process.attach() as me:
        process.send_after(me, "ring", 0)
        process.send(me, "first")

        assert [await process.receive(timeout=50) for _ in range(2)] == ["first", "ring"]


@on_virtual_clock
async def test_timers_fire_in_order_of_their_times() -> None:
    me = process.current()
    process.send_after(me, "second", 20)
    process.send_after(me, "first", 5)

    assert [await process.receive(timeout=50) for _ in range(2)] == ["first", "second"]


@on_virtual_clock
async def test_cancelled_timer_tells_what_was_left_and_sends_nothing() -> None:
    ref = process.send_after(process.current(), "ring", 20)

    left = process.cancel_timer(ref)

    assert left is not None
    assert 0 < left <= 20
    with pytest.raises(TimeoutError):
        await process.receive(timeout=40)


async def test_timer_can_be_cancelled_once() -> None:
    async with process.attach() as me:
        ref = process.send_after(me, "ring", 60)

        process.cancel_timer(ref)

        assert process.cancel_timer(ref) is None
        assert process.read_timer(ref) is None


async def test_timer_that_rang_has_nothing_left() -> None:
    async with process.attach() as me:
        ref = process.send_after(me, "ring", 0)
        await process.receive(timeout=50)

        assert process.read_timer(ref) is None
        assert process.cancel_timer(ref) is None


@on_virtual_clock
async def test_read_timer_leaves_it_running() -> None:
    ref = process.send_after(process.current(), "ring", 10)

    left = process.read_timer(ref)

    assert left is not None
    assert 0 < left <= 10
    assert await process.receive(timeout=50) == "ring"


async def test_name_is_looked_up_when_the_timer_fires() -> None:
    """Erlang ``send_after/3``: the name is looked up at the time of delivery."""
    async with process.attach() as me:
        process.send_after("later", "ring", 0.005)
        process.register(me, "later")

        assert await process.receive(timeout=50) == "ring"


async def test_timer_for_an_unknown_name_fires_into_nothing() -> None:
    """Erlang ``send_after/3``: no error if the name refers to no process."""
    async with process.attach() as me:
        process.send_after("nobody", "lost", 0.001)
        process.send_after(me, "ring", 0.005)

        assert await process.receive(timeout=50) == "ring"


async def test_timer_is_gone_with_the_process_it_was_for() -> None:
    """Erlang ``send_after/3``: cancelled when the destination exits."""
    async with process.attach():
        pid = await Quiet.start()
        ref = process.send_after(pid, "ring", 60)

        await GenServer.stop(pid)

        assert process.read_timer(ref) is None
        assert process.cancel_timer(ref) is None


async def test_timer_for_a_dead_process_is_silent() -> None:
    async with process.attach() as me:
        pid = await Quiet.start()
        await GenServer.stop(pid)

        process.send_after(pid, "lost", 0.001)
        process.send_after(me, "ring", 0.005)

        assert await process.receive(timeout=50) == "ring"


async def test_timer_outlives_the_process_that_set_it() -> None:
    """Erlang ``send_after/3``: only the destination's death cancels it."""
    async with process.attach() as me:

        async def set_and_die() -> None:
            process.send_after(me, "ring", 0.005)

        process.spawn(set_and_die)

        assert await process.receive(timeout=50) == "ring"


async def test_server_gets_the_timer_in_handle_info() -> None:
    async with process.attach() as me:

        class Alarm(GenServer):
            def init(self) -> None:
                process.send_after(self.pid, "ring", 0.001)

            def handle_info(self, message: object) -> None:
                process.send(me, ("rang", message))

        await Alarm.start_link()

        assert await process.receive(timeout=50) == ("rang", "ring")
