"""A start that fails: the error is all.

Sources: Elixir ``GenServer.start_link/3``, ``init/1``; no exit signal follows, unlike OTP.
"""

import asyncio

import pytest

from beamish import (
    IGNORE,
    BeamishError,
    GenServer,
    IgnoredError,
    StartError,
    Stop,
    process,
)

TERMINATED: list[object] = []


@pytest.fixture(autouse=True)
def _fresh() -> None:
    TERMINATED.clear()


class Server(GenServer):
    """Does at its start what it is told."""

    def __init__(self, do: object = None) -> None:
        self.do = do
        if do == "raise in __init__":
            raise ValueError(do)

    async def init(self) -> object:
        match self.do:
            case "raise in init":
                raise ValueError(self.do)
            case "wait":
                await asyncio.Event().wait()
        return self.do

    def terminate(self, reason: object) -> None:
        TERMINATED.append(reason)


class SyncServer(Server):
    """The same with a plain ``init``."""

    def init(self) -> object:
        if self.do == "raise in init":
            raise ValueError(self.do)
        return self.do


SERVERS = pytest.mark.parametrize("server", [Server, SyncServer])

FAILURES = [
    "raise in __init__",
    "raise in init",
    Stop("refused"),
    Stop("normal"),
    IGNORE,
    42,
]


@SERVERS
@pytest.mark.parametrize("how", ["raise in __init__", "raise in init"])
async def test_exception_of_the_start_is_the_cause(server: type[Server], how: str) -> None:
    with pytest.raises(StartError) as caught:
        await server.start(how)

    assert isinstance(caught.value.__cause__, ValueError)
    assert caught.value.reason is caught.value.__cause__
    assert caught.value.__cause__.__traceback__ is not None


@SERVERS
@pytest.mark.parametrize("reason", ["refused", "normal", ("shutdown", 1)])
async def test_stop_from_init_fails_the_start(server: type[Server], reason: object) -> None:
    with pytest.raises(StartError) as caught:
        await server.start(Stop(reason))

    assert caught.value.reason == reason


@SERVERS
async def test_ignore_from_init_is_an_ignored_error(server: type[Server]) -> None:
    with pytest.raises(IgnoredError):
        await server.start(IGNORE, name="server")

    assert process.whereis("server") is None


@SERVERS
async def test_bad_value_from_init_fails_the_start_and_is_shown(server: type[Server]) -> None:
    with pytest.raises(StartError, match="42") as caught:
        await server.start(42)

    assert not isinstance(caught.value, IgnoredError)


@SERVERS
@pytest.mark.parametrize("how", FAILURES, ids=repr)
async def test_failed_start_leaves_nothing_behind(server: type[Server], how: object) -> None:
    before = set(process.processes())

    with pytest.raises(BeamishError):
        await server.start(how, name="server")

    assert process.whereis("server") is None
    assert set(process.processes()) == before
    assert process.is_alive(await server.start(name="server"))


@SERVERS
@pytest.mark.parametrize("how", FAILURES, ids=repr)
async def test_failed_start_link_is_the_error_and_nothing_more(
    server: type[Server], how: object, settle
) -> None:
    """Unlike OTP, no exit signal follows the error."""
    async with process.attach() as me:
        with pytest.raises(StartError):
            await server.start_link(how)
        await settle()

        assert process.is_alive(me)
        assert list(process.info(me).links) == []


@SERVERS
@pytest.mark.parametrize("how", FAILURES, ids=repr)
async def test_failed_start_link_sends_a_trapping_caller_no_exit(
    server: type[Server], how: object, settle
) -> None:
    async with process.attach():
        process.flag(trap_exit=True)

        with pytest.raises(StartError):
            await server.start_link(how)
        await settle()

        with pytest.raises(TimeoutError):
            await process.receive(timeout=0)


@SERVERS
@pytest.mark.parametrize("how", FAILURES, ids=repr)
async def test_terminate_does_not_run_when_the_start_fails(
    server: type[Server], how: object
) -> None:
    """Elixir ``terminate/2`` is for a server that was initialised."""
    with pytest.raises(StartError):
        await server.start(how)

    assert TERMINATED == []


async def test_start_that_takes_too_long_is_given_up() -> None:
    """Elixir ``start_link/3``, ``:timeout``: the process is killed, ``{:error, :timeout}``."""
    with pytest.raises(StartError) as caught:
        await Server.start("wait", name="server", timeout=0.01)

    assert caught.value.reason == "timeout"
    assert process.whereis("server") is None


async def test_start_link_that_takes_too_long_does_not_harm_the_caller(settle) -> None:
    async with process.attach() as me:
        with pytest.raises(StartError):
            await Server.start_link("wait", timeout=0.01)
        await settle()

        assert process.is_alive(me)


async def test_init_that_takes_too_long_is_cancelled_before_the_error_is_raised() -> None:
    left: list[str] = []

    class Slow(GenServer):
        async def init(self) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                left.append("cleaned")

    with pytest.raises(StartError):
        await Slow.start(timeout=0.01)

    assert left == ["cleaned"]
