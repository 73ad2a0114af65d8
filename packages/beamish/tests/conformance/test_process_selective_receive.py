"""Selective receive: each search looks at a message once, and takes the oldest that matches.

Source: Erlang reference manual, "Receive": messages are tried in the order of their arrival;
those that do not match stay in the mailbox, in order.
"""

import asyncio
from collections.abc import Callable

import pytest

from beamish import Pid, process


class Wanted:
    """A match function that counts how often it is asked."""

    def __init__(self, wanted: object) -> None:
        self.wanted = wanted
        self.asked = 0

    def __call__(self, message: object) -> bool:
        self.asked += 1
        return message == self.wanted


async def queued(me: Pid) -> int:
    info = process.info(me)
    assert info is not None
    return info.message_queue_len


async def drained() -> list[object]:
    """Take all messages that are queued."""
    messages = []
    while await queued(process.current()):
        messages.append(await process.receive(0))
    return messages


async def test_search_looks_at_each_message_once_while_it_waits() -> None:
    wanted = Wanted("wanted")
    async with process.attach() as me:
        for number in range(100):
            process.send(me, number)
        receiving = asyncio.create_task(process.receive(10, wanted))
        for number in range(100):
            await asyncio.sleep(0)
            process.send(me, number)
        process.send(me, "wanted")

        assert await receiving == "wanted"
        assert wanted.asked == 201


async def test_search_looks_at_each_message_once_while_others_are_taken() -> None:
    """Another task of the process takes messages that the search has passed over."""
    wanted = Wanted("wanted")
    async with process.attach() as me:
        for number in range(200):
            process.send(me, number)
        receiving = asyncio.create_task(process.receive(10, wanted))
        await asyncio.sleep(0)
        for number in range(150):
            assert await process.receive(0) == number
            process.send(me, "later")
            await asyncio.sleep(0)
        process.send(me, "wanted")

        assert await receiving == "wanted"
        assert wanted.asked == 351
        assert await drained() == [*range(150, 200), *["later"] * 150]


async def test_waiting_search_finds_a_message_that_moves_to_the_front() -> None:
    """Another task takes all that the search has passed over, so the positions change."""
    async with process.attach() as me:
        process.send(me, "other")
        receiving = asyncio.create_task(process.receive(10, lambda m: m == "wanted"))
        for _ in range(3):
            await asyncio.sleep(0)

        assert await process.receive(0) == "other"
        process.send(me, "wanted")

        assert await receiving == "wanted"


async def test_waiting_search_finds_what_another_search_has_passed_over() -> None:
    """Before it is woken, another one passes over its message and takes the one before it."""
    async with process.attach() as me:
        process.send(me, "other")
        receiving = asyncio.create_task(process.receive(10, lambda m: m == "wanted"))
        for _ in range(3):
            await asyncio.sleep(0)

        process.send(me, "wanted")
        with pytest.raises(TimeoutError):
            await process.receive(0, lambda _: False)
        assert await process.receive(0) == "other"

        assert await receiving == "wanted"


async def test_next_search_starts_again_from_the_oldest_message() -> None:
    async with process.attach() as me:
        for message in ["a", "b", "c", "d"]:
            process.send(me, message)

        assert await process.receive(0, lambda m: m == "c") == "c"
        assert await process.receive(0, lambda m: m in "bd") == "b"
        assert await process.receive(0, lambda m: m in "ad") == "a"
        assert await process.receive(0) == "d"


async def test_messages_passed_over_are_older_than_those_that_come_later() -> None:
    async with process.attach() as me:
        process.send(me, "old")
        with pytest.raises(TimeoutError):
            await process.receive(0, lambda m: m == "unknown")
        process.send(me, "new")

        assert await process.receive(0, lambda m: m in ("new", "old")) == "old"
        process.send(me, "newer")
        assert await drained() == ["new", "newer"]


@pytest.mark.parametrize("count", [1, 63, 64, 65, 1000])
async def test_order_is_kept_however_many_messages_were_passed_over(count: int) -> None:
    async with process.attach() as me:
        for number in range(count):
            process.send(me, number)
        with pytest.raises(TimeoutError):
            await process.receive(0, lambda _: False)
        taken = []
        for number in range(count):
            process.send(me, count + number)
            taken.append(await process.receive(0))

        assert taken == list(range(count))
        assert await drained() == list(range(count, 2 * count))


async def test_two_searches_of_one_process_find_what_is_theirs() -> None:
    async with process.attach() as me:
        first = asyncio.create_task(process.receive(10, lambda m: m % 2 == 0))
        second = asyncio.create_task(process.receive(10, lambda m: m % 2 == 1))
        await asyncio.sleep(0)
        for number in [7, 9, 4, 6]:
            process.send(me, number)

        assert (await first, await second) == (4, 7)
        assert await drained() == [9, 6]


async def test_match_function_that_raises_leaves_the_messages() -> None:
    def match(message: object) -> bool:
        if message == "bad":
            raise ValueError(message)
        return False

    async with process.attach() as me:
        for message in ["good", "bad", "last"]:
            process.send(me, message)
        with pytest.raises(ValueError, match="bad"):
            await process.receive(0, match)

        assert await drained() == ["good", "bad", "last"]


async def test_cancelled_search_leaves_the_messages() -> None:
    async with process.attach() as me:
        process.send(me, "old")
        receiving = asyncio.create_task(process.receive(10, lambda _: False))
        await asyncio.sleep(0)
        receiving.cancel()
        await asyncio.wait([receiving])
        process.send(me, "new")

        assert await drained() == ["old", "new"]


def flushing(ref: object, then: Callable[[object], bool]) -> Callable[[object], bool]:
    """A match function that discards the `Down` of ``ref`` when it is first asked."""

    def match(message: object) -> bool:
        process.demonitor(ref, flush=True)  # type: ignore[arg-type]
        return then(message)

    return match


@pytest.mark.parametrize("passed_over", [False, True], ids=["new", "passed over"])
@pytest.mark.parametrize("wanted", ["first", "last"])
async def test_match_function_may_discard_messages(wanted: str, passed_over: bool) -> None:
    async def nothing() -> None: ...

    async with process.attach() as me:
        process.send(me, "first")
        pid = process.spawn(nothing)
        ref = process.monitor(pid)
        while process.is_alive(pid):
            await asyncio.sleep(0)
        process.send(me, "last")
        if passed_over:
            with pytest.raises(TimeoutError):
                await process.receive(0, lambda _: False)

        assert await process.receive(0, flushing(ref, lambda m: m == wanted)) == wanted
        assert await drained() == [m for m in ("first", "last") if m != wanted]
