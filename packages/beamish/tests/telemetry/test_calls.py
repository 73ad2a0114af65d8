"""The events of calls and callbacks: direct, queued, timed out, crashed, cancelled."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from beamish import (
    CallTimeoutError,
    Continue,
    ExitError,
    Fail,
    From,
    GenServer,
    NoProcessError,
    NoReply,
    Registry,
    call,
    cast,
    process,
)


class Server(GenServer):
    def __init__(self) -> None:
        self.waiting: list[From] = []
        self.release = asyncio.Event()

    @call
    def echo(self, value: Any) -> Any:
        return value

    @call
    async def slow(self) -> str:
        await self.release.wait()
        return "slow"

    @call
    def later(self, *, from_: From) -> NoReply:
        self.waiting.append(from_)
        return NoReply()

    @call
    def crash(self) -> None:
        raise ValueError("crash")

    @call
    def refuse(self, error: Exception) -> Fail | None:
        return Fail(error)

    @cast
    def poke(self) -> None:
        pass

    @cast
    def go_on(self) -> Continue:
        return Continue("on")

    def handle_continue(self, arg: object) -> None:
        pass

    def handle_info(self, message: object) -> None:
        pass


@pytest.fixture(params=["direct", "queued"])
def _dispatch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("BEAMISH_DIRECT", "1" if request.param == "direct" else "0")
    return


@pytest.mark.usefixtures("_dispatch")
async def test_call_tells_of_start_and_stop(seen) -> None:
    pid = await Server.start(name="server")

    assert await Server.echo("server", 1) == 1

    start, stop = seen.of("call")
    facts = {"dest": "server", "pid": pid, "class": "Server", "request": "echo"}
    assert {**start.metadata, **facts} == start.metadata == stop.metadata
    assert seen.names("call") == ["start", "stop"]
    assert 0 <= stop.measurements["duration_seconds"] < 50


@pytest.mark.usefixtures("_dispatch")
async def test_callback_runs_within_its_call(seen) -> None:
    await Server.echo(await Server.start(), 1)

    names = [emitted.event[1:] for emitted in seen.all if emitted.metadata["class"] == "Server"]
    assert names[-4:] == [
        ("call", "start"),
        ("callback", "start"),
        ("callback", "stop"),
        ("call", "stop"),
    ]


@pytest.mark.usefixtures("_dispatch")
async def test_duration_of_a_call_spans_its_async_callback(seen, until) -> None:
    pid = await Server.start()

    async with asyncio.TaskGroup() as group:
        group.create_task(Server.slow(pid))
        await until(lambda: seen.of("callback", "start"))
        await asyncio.sleep(0.02)
        process_of(pid).release.set()

    (stop,) = [e for e in seen.of("call", "stop") if e.metadata["request"] == "slow"]
    (ran,) = [e for e in seen.of("callback", "stop") if e.metadata["callback"] == "slow"]
    assert 0.015 <= ran.measurements["duration_seconds"] <= stop.measurements["duration_seconds"]
    assert stop.measurements["duration_seconds"] < 50


def process_of(pid: Any) -> Server:
    server: Server = pid._process.server
    return server


async def test_call_that_is_answered_later_stops_with_its_reply(seen, until) -> None:
    pid = await Server.start()
    calling = asyncio.create_task(Server.later(pid))
    await until(lambda: process_of(pid).waiting)
    assert seen.names("call") == ["start"]

    GenServer.reply(process_of(pid).waiting[0], "now")

    assert await calling == "now"
    assert seen.names("call") == ["start", "stop"]


@pytest.mark.usefixtures("_dispatch")
async def test_call_that_times_out_is_an_exception(seen) -> None:
    pid = await Server.start()

    with pytest.raises(CallTimeoutError) as raised:
        await Server.slow.timeout(0.02)(pid)

    (failed,) = seen.of("call", "exception")
    assert failed.metadata["error"] is raised.value
    assert failed.metadata["class"] == "Server"
    assert 0.015 <= failed.measurements["duration_seconds"] < 50


@pytest.mark.usefixtures("_dispatch")
async def test_crash_is_an_exception_of_callback_and_call(seen) -> None:
    pid = await Server.start()

    with pytest.raises(ExitError) as raised:
        await Server.crash(pid)

    (callback,) = seen.of("callback", "exception")
    (failed,) = seen.of("call", "exception")
    assert isinstance(callback.metadata["error"], ValueError)
    assert callback.metadata["callback"] == "crash"
    assert failed.metadata["error"] is raised.value
    (left,) = seen.of("process", "exit")
    assert left.metadata["reason"] is callback.metadata["error"]


@pytest.mark.usefixtures("_dispatch")
async def test_refusal_is_an_exception_of_the_call_and_not_of_the_callback(seen) -> None:
    pid = await Server.start()
    error = ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        await Server.refuse(pid, error)

    (failed,) = seen.of("call", "exception")
    assert failed.metadata["error"] is error
    assert failed.metadata["request"] == "refuse"
    assert seen.of("callback", "exception") == []
    assert await Server.echo(pid, 1) == 1


@pytest.mark.parametrize("dest", ["nobody", Registry.via("no registry", "key")])
async def test_call_to_nobody_is_an_exception_without_a_class(seen, dest) -> None:
    with pytest.raises(NoProcessError):
        await Server.echo(dest, 1)

    (failed,) = seen.of("call", "exception")
    assert failed.metadata["class"] is None
    assert failed.metadata["pid"] is None
    assert failed.metadata["dest"] == dest


async def test_cancelled_call_is_an_exception(seen, until) -> None:
    pid = await Server.start()
    calling = asyncio.create_task(Server.slow(pid))
    await until(lambda: "slow" in callbacks(seen, "start"))

    calling.cancel()
    await asyncio.wait([calling])

    (failed,) = seen.of("call", "exception")
    assert isinstance(failed.metadata["error"], asyncio.CancelledError)


async def test_killed_callback_is_an_exception(seen, until) -> None:
    pid = await Server.start()
    calling = asyncio.create_task(Server.slow(pid))
    await until(lambda: "slow" in callbacks(seen, "start"))

    process.exit(pid, "kill")
    await asyncio.wait([calling])
    await until(lambda: seen.of("callback", "exception"))

    (failed,) = seen.of("callback", "exception")
    assert isinstance(failed.metadata["error"], asyncio.CancelledError)
    assert isinstance(calling.exception(), ExitError)


async def test_callback_that_is_killed_before_its_first_step_leaves_nothing_behind(seen) -> None:
    pid = await Server.start()
    calling = asyncio.create_task(Server.slow(pid))
    while pid._process.task is None:
        await asyncio.sleep(0)

    process.exit(pid, "kill")  # its task has been made, and has not run yet
    await asyncio.wait([calling])

    assert isinstance(calling.exception(), ExitError)


def callbacks(seen, how: str) -> list[str]:
    return [emitted.metadata["callback"] for emitted in seen.of("callback", how)]


async def test_each_callback_is_told_of(seen, until) -> None:
    async with process.attach():
        pid = await Server.start_link()
        Server.poke(pid)
        Server.go_on(pid)
        process.send(pid, "hello")
        await GenServer.stop(pid)

    expected = ["init", "poke", "go_on", "handle_continue", "handle_info"]
    assert callbacks(seen, "start") == callbacks(seen, "stop") == expected


async def test_calls_of_several_clients_are_told_apart(seen) -> None:
    pid = await Server.start()

    await asyncio.gather(*(Server.echo(pid, number) for number in range(10)))

    spans = [emitted.metadata["span"] for emitted in seen.of("call", "start")]
    ends = [emitted.metadata["span"] for emitted in seen.of("call", "stop")]
    assert len(set(map(id, spans))) == 10
    assert set(map(id, spans)) == set(map(id, ends))
