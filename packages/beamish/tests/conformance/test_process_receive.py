"""``process.receive``: the mailbox of an attached or spawned process.

Source: Erlang reference manual, "Expressions", receive; Elixir ``receive/1``.
"""

import asyncio
import time

import pytest

from beamish import NoProcessError, process


async def test_messages_are_received_in_the_order_sent() -> None:
    async with process.attach() as me:
        for number in range(5):
            process.send(me, number)

        assert [await process.receive(timeout=50) for _ in range(5)] == [0, 1, 2, 3, 4]


async def test_receive_waits_for_a_message() -> None:
    async with process.attach() as me:

        async def tell() -> None:
            process.send(me, "late")

        process.spawn(tell)

        assert await process.receive() == "late"


@pytest.mark.parametrize("message", [None, False, 0, "", (), "timeout", ValueError("as a value")])
async def test_any_value_is_a_message(message: object) -> None:
    async with process.attach() as me:
        process.send(me, message)

        assert await process.receive(timeout=50) is message


async def test_receive_raises_when_nothing_came_in_time() -> None:
    async with process.attach():
        with pytest.raises(TimeoutError):
            await process.receive(timeout=0.001)


async def test_timeout_of_zero_only_looks() -> None:
    """Erlang ``after 0``: the mailbox is checked, nothing is waited for."""
    async with process.attach() as me:
        with pytest.raises(TimeoutError):
            await process.receive(timeout=0)
        process.send(me, "here")

        assert await process.receive(timeout=0) == "here"


async def test_match_picks_the_first_that_fits_and_leaves_the_rest_in_order() -> None:
    async with process.attach() as me:
        for message in (1, "a", 2, "b", 3):
            process.send(me, message)

        picked = await process.receive(timeout=5, match=lambda message: isinstance(message, str))

        rest = [await process.receive(timeout=50) for _ in range(4)]
        assert (picked, rest) == ("a", [1, 2, "b", 3])


async def test_match_waits_past_messages_that_do_not_fit() -> None:
    async with process.attach() as me:

        async def tell() -> None:
            process.send(me, "no")
            await asyncio.sleep(0)
            process.send(me, "yes")

        process.spawn(tell)

        assert await process.receive(timeout=5, match=lambda message: message == "yes") == "yes"
        assert await process.receive(timeout=50) == "no"


async def test_messages_that_do_not_fit_survive_a_timeout() -> None:
    async with process.attach() as me:
        process.send(me, "kept")

        with pytest.raises(TimeoutError):
            await process.receive(timeout=0.001, match=lambda message: message == "other")

        assert await process.receive(timeout=0) == "kept"


async def test_messages_that_do_not_fit_do_not_prolong_the_timeout() -> None:
    async with process.attach() as me:

        async def chatter() -> None:
            while process.is_alive(me):
                process.send(me, "no")
                await asyncio.sleep(0.005)

        process.spawn(chatter)
        started = time.monotonic()

        with pytest.raises(TimeoutError):
            await process.receive(timeout=0.05, match=lambda message: message == "yes")

        assert time.monotonic() - started < 10


async def test_interrupted_receive_loses_no_message() -> None:
    async with process.attach() as me:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await process.receive()

        process.send(me, "first")
        process.send(me, "second")

        assert await process.receive(timeout=50) == "first"
        assert await process.receive(timeout=50) == "second"


async def test_receive_interrupted_as_the_message_arrives_loses_no_message() -> None:
    """The message is either received or still there, also when both happen in one step."""
    received: list[object] = []
    ready = asyncio.get_running_loop().create_future()

    async def work() -> None:
        async with process.attach() as pid:
            ready.set_result(pid)
            try:
                received.append(await process.receive())
            except asyncio.CancelledError:
                task = asyncio.current_task()
                assert task is not None
                task.uncancel()
                received.append(await process.receive(timeout=0))

    task = asyncio.create_task(work())
    pid = await ready
    await asyncio.sleep(0)
    process.send(pid, "message")
    task.cancel()

    await asyncio.wait([task])
    assert received == ["message"]


async def test_receive_needs_a_process() -> None:
    with pytest.raises(NoProcessError):
        await process.receive(timeout=0)


async def test_new_attachment_starts_with_an_empty_mailbox() -> None:
    async with process.attach() as me:
        process.send(me, "left behind")

    async with process.attach():
        with pytest.raises(TimeoutError):
            await process.receive(timeout=0)
