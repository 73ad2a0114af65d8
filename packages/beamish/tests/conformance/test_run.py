"""``beamish.run``: the main program, its signals and its exit status.

Source: Elixir ``System.stop/1`` and init's handling of SIGTERM: the tree stops in reverse order.
"""

import asyncio
import signal
import time

import pytest

from beamish import ExitError, GenServer, process, run

from .program_support import STARTED, STOPPED, program, rest, until


def test_run_returns_what_the_coroutine_returns() -> None:
    async def main() -> int:
        await asyncio.sleep(0)
        return 42

    assert run(main()) == 42


def test_run_makes_the_main_task_a_process() -> None:
    async def main() -> bool:
        return process.is_alive(process.current())

    assert run(main()) is True


def test_run_raises_what_the_coroutine_raises() -> None:
    async def main() -> None:
        raise KeyError("main")

    with pytest.raises(KeyError):
        run(main())


def test_linked_crash_ends_the_main_coroutine() -> None:
    class Crasher(GenServer):
        def handle_cast(self, request: object) -> None:
            raise ValueError(request)

    async def main() -> None:
        pid = await Crasher.start_link()
        GenServer.cast(pid, "boom")
        await asyncio.Event().wait()

    with pytest.raises(ExitError) as caught:
        run(main())

    assert isinstance(caught.value.reason, ValueError)


def test_run_works_again_and_again() -> None:
    class Server(GenServer):
        def handle_call(self, request: object, from_: object) -> object:
            return request

    async def main() -> object:
        return await GenServer.call(await Server.start_link(name="server"), "hello")

    assert [run(main()) for _ in range(3)] == ["hello"] * 3


def test_run_leaves_the_signal_handlers_as_they_were() -> None:
    async def main() -> None:
        await asyncio.sleep(0)

    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    run(main())

    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_stops_the_tree_in_reverse_order_with_status_zero(number: signal.Signals) -> None:
    with program("beamish.run(Shop())") as running:
        assert until(running, "ready") == STARTED

        running.send_signal(number)

        assert rest(running) == STOPPED
        assert running.returncode == 0


def test_child_that_takes_too_long_is_killed_within_its_shutdown() -> None:
    with program("""
        class Lingering(Shop):
            def more(self):
                return [Slow.child_spec("slow")]

        beamish.run(Lingering())
        """) as running:
        until(running, "ready")
        started = time.monotonic()

        running.send_signal(signal.SIGTERM)

        assert rest(running) == ["prep_stop", "slow lingers", *STOPPED[1:]]
        assert running.returncode == 0
        assert time.monotonic() - started < 10


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_second_signal_kills(number: signal.Signals) -> None:
    with program("""
        class Lingering(Shop):
            def more(self):
                return [Endless.child_spec("endless")]

        beamish.run(Lingering())
        """) as running:
        until(running, "ready")
        running.send_signal(number)
        until(running, "endless lingers")

        running.send_signal(number)

        running.communicate(timeout=50)
        assert running.returncode is not None


def test_tree_that_dies_by_itself_ends_with_status_one() -> None:
    with program("""
        class Failing(GenServer):
            def init(self):
                process.send_after(self.pid, "boom", 0.0)

            def handle_info(self, message):
                raise ValueError(message)

        class Doomed(Shop):
            def more(self):
                return [Failing]

        beamish.run(Doomed())
        """) as running:
        said = rest(running)

        assert running.returncode == 1
        assert "second stops shutdown" in said
        assert said[-1] == "stop"


def test_tree_that_does_not_start_ends_with_status_one() -> None:
    with program("""
        class Refuses(GenServer):
            def init(self):
                return Stop("refused")

        class Broken(Shop):
            def more(self):
                return [Refuses]

        beamish.run(Broken())
        """) as running:
        out, err = running.communicate(timeout=50)

        assert running.returncode == 1
        assert "Refuses" in err
        assert "ready" not in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_ends_a_coroutine_after_its_clean_up_with_status_zero(
    number: signal.Signals,
) -> None:
    with program("""
        async def main():
            try:
                say("ready")
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                say("cleaned")

        beamish.run(main())
        """) as running:
        until(running, "ready")

        running.send_signal(number)

        assert rest(running) == ["cleaned"]
        assert running.returncode == 0


def test_signal_lets_linked_servers_of_a_coroutine_terminate() -> None:
    with program("""
        async def main():
            await Worker.start_link("linked")
            say("ready")
            await asyncio.Event().wait()

        beamish.run(main())
        """) as running:
        until(running, "ready")

        running.send_signal(signal.SIGTERM)

        assert any(line.startswith("linked stops") for line in rest(running))
        assert running.returncode == 0
