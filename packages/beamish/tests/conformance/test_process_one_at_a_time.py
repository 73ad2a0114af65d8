"""A GenServer never runs two callbacks at once, also while an async callback is suspended.

Source: Elixir ``GenServer``: a server handles its messages one by one.
"""

import asyncio

import pytest

from beamish import (
    CallTimeoutError,
    Continue,
    ExitError,
    From,
    GenServer,
    Pid,
    StartError,
    Stop,
    call,
    cast,
    debug,
    process,
)


class Turnstile(GenServer):
    """Counts how many callbacks are inside at once."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.passed = 0

    async def slowly(self) -> None:
        self.enter()
        for _ in range(5):
            await asyncio.sleep(0)
        self.leave()

    def enter(self) -> None:
        self.inside += 1
        self.most = max(self.most, self.inside)

    def leave(self) -> None:
        self.inside -= 1
        self.passed += 1

    @call
    async def slow(self) -> None:
        await self.slowly()

    @call
    def quick(self) -> int:
        self.enter()
        self.leave()
        return self.most

    @cast
    async def slow_cast(self) -> None:
        await self.slowly()

    async def handle_info(self, message: object) -> None:
        await self.slowly()

    @call
    def result(self) -> tuple[int, int]:
        return self.most, self.passed


class Gate(GenServer):
    """Waits in the callback it is told to, until its gate opens; notes every step."""

    def __init__(self, where: str, gate: asyncio.Event, steps: list[str]) -> None:
        self.where, self.gate, self.steps = where, gate, steps

    async def wait_in(self, where: str) -> None:
        if where == self.where:
            self.steps.append(f"{where} begins")
            await self.gate.wait()
            self.steps.append(f"{where} ends")

    async def init(self) -> Continue:
        await self.wait_in("init")
        return Continue("go")

    async def handle_continue(self, arg: object) -> None:
        await self.wait_in("handle_continue")

    async def handle_cast(self, request: object) -> None:
        await self.wait_in("handle_cast")

    def handle_call(self, request: object, from_: From) -> str:
        self.steps.append(f"call {request}")
        return "answer"


async def test_concurrent_calls_never_overlap() -> None:
    pid = await Turnstile.start()

    await asyncio.gather(*(Turnstile.slow(pid) for _ in range(50)))

    assert await Turnstile.result(pid) == (1, 50)


async def test_every_mixture_of_callbacks_never_overlaps() -> None:
    pid = await Turnstile.start()

    async def client(number: int) -> None:
        for step in range(20):
            match (number + step) % 4:
                case 0:
                    await Turnstile.slow(pid)
                case 1:
                    await Turnstile.quick(pid)
                case 2:
                    Turnstile.slow_cast(pid)
                case 3:
                    process.send(pid, "message")

    await asyncio.gather(*(client(number) for number in range(10)))

    assert await Turnstile.result(pid) == (1, 200)


@pytest.mark.parametrize("where", ["init", "handle_continue", "handle_cast"])
async def test_call_waits_while_a_callback_is_suspended(where: str, settle) -> None:
    gate, steps = asyncio.Event(), []
    starting = asyncio.create_task(Gate.start(where, gate, steps, name="gate"))
    while process.whereis("gate") is None:
        await asyncio.sleep(0)
    GenServer.cast("gate", "go")
    await settle()

    calling = asyncio.create_task(GenServer.call("gate", 1))
    await settle()

    assert steps == [f"{where} begins"]
    gate.set()
    assert await calling == "answer"
    assert steps == [f"{where} begins", f"{where} ends", "call 1"]
    await starting


async def test_call_to_a_server_whose_init_fails_gets_its_reason_at_once(settle) -> None:
    """OTP: the name is registered before ``init``; calls queue, and fail with it."""
    gate = asyncio.Event()

    class Refusing(GenServer):
        async def init(self) -> Stop:
            await gate.wait()
            return Stop("refused")

    starting = asyncio.create_task(Refusing.start(name="refusing"))
    while process.whereis("refusing") is None:
        await asyncio.sleep(0)
    calling = asyncio.create_task(GenServer.call("refusing", "hello", timeout=None))
    await settle()

    gate.set()

    with pytest.raises(ExitError) as caught:
        await calling
    assert caught.value.reason == "refused"
    with pytest.raises(StartError):
        await starting


async def test_server_that_casts_to_itself_handles_it_afterwards() -> None:
    steps: list[str] = []

    class Selfish(GenServer):
        def handle_call(self, request: object, from_: From) -> str:
            GenServer.cast(self.pid, "later")
            process.send(self.pid, "later still")
            steps.append("callback ends")
            return "done"

        def handle_cast(self, request: object) -> None:
            steps.append(str(request))

        def handle_info(self, message: object) -> None:
            steps.append(str(message))

    pid = await Selfish.start()
    await GenServer.call(pid, "go")
    await GenServer.stop(pid)

    assert steps == ["callback ends", "later", "later still"]


async def test_server_is_not_entered_again_through_the_server_it_calls() -> None:
    """A calls B, B calls A: B must not get in while A waits; it times out, as on the BEAM."""

    class Ring(GenServer):
        def __init__(self) -> None:
            self.other: Pid | None = None
            self.inside = 0

        async def handle_call(self, request: object, from_: From) -> object:
            if request == "touch":
                return self.inside
            self.inside += 1
            answer = await GenServer.call(self.other, "call back")
            self.inside -= 1
            return answer

        def handle_cast(self, request: Pid) -> None:
            self.other = request

    class Back(GenServer):
        def __init__(self, target: Pid) -> None:
            self.target = target

        async def handle_call(self, request: object, from_: From) -> object:
            try:
                return await GenServer.call(self.target, "touch", timeout=0.02)
            except CallTimeoutError:
                return "could not get in"

    ring = await Ring.start()
    GenServer.cast(ring, await Back.start(ring))

    assert await GenServer.call(ring, "go") == "could not get in"
    assert await GenServer.call(ring, "touch") == 0


async def test_server_is_not_entered_again_through_a_sync_one_in_between() -> None:
    """The same when the way back leads over a server whose callbacks are all plain."""
    entered: list[str] = []

    class Middle(GenServer):
        def handle_call(self, request: Pid, from_: From) -> str:
            entered.append("middle")
            GenServer.cast(request, "from middle")
            return "middle done"

    class First(GenServer):
        def __init__(self, middle: Pid) -> None:
            self.middle = middle

        async def handle_call(self, request: object, from_: From) -> str:
            answer = await GenServer.call(self.middle, self.pid)
            entered.append("first ends")
            return answer

        def handle_cast(self, request: object) -> None:
            entered.append("first's cast")

    first = await First.start(await Middle.start())
    await GenServer.call(first, "go")
    await GenServer.stop(first)

    assert entered == ["middle", "first ends", "first's cast"]


async def test_trapped_exit_does_not_interrupt_a_callback(settle) -> None:
    gate, steps = asyncio.Event(), []

    class Trapping(Gate, trap_exit=True):
        def handle_info(self, message: object) -> None:
            self.steps.append("handle_info")

    pid = await Trapping.start("handle_cast", gate, steps)
    GenServer.cast(pid, "go")
    await settle()

    process.exit(pid, "trapped")
    await settle()
    gate.set()
    await GenServer.call(pid, 1)

    assert steps == ["handle_cast begins", "handle_cast ends", "handle_info", "call 1"]


async def test_debug_waits_for_a_suspended_callback(settle) -> None:
    """OTP ``sys``: system messages are handled between callbacks, never during one."""
    gate, steps = asyncio.Event(), []
    pid = await Gate.start("handle_cast", gate, steps)
    GenServer.cast(pid, "go")
    await settle()

    looking = asyncio.create_task(debug.get_state(pid))
    await settle()

    assert not looking.done()
    gate.set()
    assert (await looking)["steps"] == ["handle_cast begins", "handle_cast ends"]


async def test_no_message_is_handled_during_terminate(settle) -> None:
    gate, steps = asyncio.Event(), []

    class Lingering(Gate):
        async def terminate(self, reason: object) -> None:
            await self.wait_in("terminate")

    pid = await Lingering.start("terminate", gate, steps)
    stopping = asyncio.create_task(GenServer.stop(pid))
    await settle()
    calling = asyncio.create_task(GenServer.call(pid, 1))
    await settle()

    assert steps == ["terminate begins"]
    gate.set()
    await stopping
    with pytest.raises(ExitError):
        await calling
    assert steps == ["terminate begins", "terminate ends"]
