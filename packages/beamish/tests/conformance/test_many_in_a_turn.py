"""A server handles many queued messages in one turn, each as if it were the only one."""

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest

from beamish import GenServer, Pid, Stop, call, cast, debug, process

WHO: ContextVar[str] = ContextVar("WHO", default="nobody")


class Clerk(GenServer):
    """Notes what each callback finds, and does what its request asks for."""

    def __init__(self, changes_context: bool) -> None:
        self.changes_context = changes_context
        self.seen: list[Any] = []
        self.current: list[Any] = []

    def handle_cast(self, request: Any) -> Any:
        info = process.info(self.pid)
        assert info is not None
        self.current.append((info.current_callback, info.messages_handled, process.current()))
        self.seen.append((request, WHO.get()))
        if self.changes_context:
            WHO.set("the last callback")
        return request(self) if callable(request) else None

    @cast
    def typed(self, request: Any) -> Any:
        return self.handle_cast(request)

    def handle_info(self, message: Any) -> Any:
        return self.handle_cast(message)

    @call
    def asked(self) -> str:
        self.seen.append(("asked", WHO.get()))
        return "answered"


WAYS: dict[str, Callable[[Pid, Any], None]] = {
    "GenServer.cast": GenServer.cast,
    "@cast": Clerk.typed,
    "send": process.send,
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Callable[[Pid, Any], None]:
    return WAYS[request.param]


@pytest.fixture(params=[False, True], ids=["plain", "changing the context"])
def changes(request: pytest.FixtureRequest) -> bool:
    return request.param


REQUESTS = [
    "text",
    None,
    (),
    (1,),
    ("push", 1),
    ("a", (), None, None, None),
    (("nested",),),
    ["a", "list"],
]


async def test_every_request_arrives_as_it_was_sent(
    way: Callable[[Pid, Any], None], changes: bool
) -> None:
    pid = await Clerk.start(changes)
    clerk = pid._process.server

    for request in REQUESTS:
        way(pid, request)
    await debug.get_state(pid)

    assert [request for request, _ in clerk.seen] == REQUESTS
    assert all(got is sent for (got, _), sent in zip(clerk.seen, REQUESTS, strict=True))


async def test_each_has_its_own_context_and_the_pid_of_the_server(
    way: Callable[[Pid, Any], None], changes: bool
) -> None:
    WHO.set("the sender")
    pid = await Clerk.start(changes)
    clerk = pid._process.server

    for number in range(5):
        way(pid, number)
    await debug.get_state(pid)

    assert clerk.seen == [(number, "nobody") for number in range(5)]
    callbacks, handled, pids = zip(*clerk.current, strict=True)
    assert handled == (0, 1, 2, 3, 4)
    assert set(pids) == {pid}
    assert len(set(callbacks)) == 1


async def test_call_between_them_has_the_context_of_its_caller(
    way: Callable[[Pid, Any], None], changes: bool
) -> None:
    WHO.set("the caller")
    pid = await Clerk.start(changes)
    clerk = pid._process.server
    await debug.suspend(pid)

    way(pid, 1)
    asking = asyncio.ensure_future(Clerk.asked(pid))
    await asyncio.sleep(0)
    way(pid, 2)
    await debug.resume(pid)

    assert await asking == "answered"
    await debug.get_state(pid)
    assert clerk.seen == [(1, "nobody"), ("asked", "the caller"), (2, "nobody")]


def boom(_: object) -> None:
    raise ValueError("boom")


def stop(_: object) -> Stop:
    return Stop("enough")


def exit_itself(clerk: Clerk) -> None:
    process.exit(clerk.pid, "over")


@pytest.mark.parametrize(
    ("last", "reason"), [(boom, "ValueError('boom')"), (stop, "'enough'"), (exit_itself, "'over'")]
)
async def test_callback_that_ends_its_server_is_the_last(
    way: Callable[[Pid, Any], None],
    changes: bool,
    last: Callable[[Any], Any],
    reason: str,
) -> None:
    async with process.attach():
        pid = await Clerk.start(changes)
        clerk = pid._process.server
        process.monitor(pid)

        for request in (1, last, 2):
            way(pid, request)

        assert repr((await process.receive(10)).reason) == reason
    assert [request for request, _ in clerk.seen] == [1, last]


async def test_crash_report_shows_the_message_that_raised(
    way: Callable[[Pid, Any], None], changes: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with process.attach():
        pid = await Clerk.start(changes)
        process.monitor(pid)

        for request in (1, boom, 2):
            way(pid, request)
        await process.receive(10)

    assert f"({boom!r})" in caplog.text or f"Last message: {boom!r}" in caplog.text


async def test_messages_behind_a_callback_that_discards_others_are_handled_once(
    way: Callable[[Pid, Any], None], changes: bool
) -> None:
    """`demonitor` with ``flush`` replaces the mailbox of the turn."""
    other = await Clerk.start(changes)
    pid = await Clerk.start(changes)
    clerk = pid._process.server

    def watch(clerk: Clerk) -> None:
        clerk.ref = process.monitor(other)

    def unwatch(clerk: Clerk) -> None:
        process.exit(other, "kill")
        process.demonitor(clerk.ref, flush=True)

    for request in (watch, 1, unwatch, 2, 3):
        way(pid, request)
    await debug.get_state(pid)

    assert [request for request, _ in clerk.seen] == [watch, 1, unwatch, 2, 3]


async def test_message_that_a_callback_sends_to_its_server_is_the_last(
    way: Callable[[Pid, Any], None], changes: bool
) -> None:
    pid = await Clerk.start(changes)
    clerk = pid._process.server

    for request in (lambda clerk: way(clerk.pid, 3), 1, 2):
        way(pid, request)
    await debug.get_state(pid)
    await debug.get_state(pid)

    assert [request for request, _ in clerk.seen][1:] == [1, 2, 3]


async def test_async_callback_has_ended_before_the_next_one_runs(
    way: Callable[[Pid, Any], None], changes: bool
) -> None:
    pid = await Clerk.start(changes)
    clerk = pid._process.server
    gate = asyncio.Event()

    async def wait(clerk: Clerk) -> None:
        WHO.set("async")
        await gate.wait()
        clerk.seen.append(("waited", WHO.get()))

    for request in (1, wait, 2):
        way(pid, request)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    before = len(clerk.seen)
    gate.set()
    await debug.get_state(pid)

    assert before == 2
    assert [request for request, _ in clerk.seen] == [1, wait, "waited", 2]
    assert clerk.seen[2:] == [("waited", "async"), (2, "nobody")]
