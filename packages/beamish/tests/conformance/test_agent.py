"""``Agent``.

Sources: Elixir ``Agent``, "How to supervise", ``start_link/2``, ``get/3``, ``update/3``,
``get_and_update/3``, ``cast/2``, ``stop/3``.
"""

import asyncio
import pickle

import pytest

from beamish import (
    Agent,
    AlreadyStartedError,
    CallTimeoutError,
    ExitError,
    Fail,
    GenServer,
    NoProcessError,
    Pid,
    Registry,
    Reply,
    StartError,
    Stop,
    Supervisor,
    call,
    debug,
    process,
)


def same(state: object) -> object:
    return state


async def slowly(state: int) -> int:
    await asyncio.sleep(0)
    return state + 1


# -- Starting


async def test_first_state_is_what_the_function_returns() -> None:
    assert await Agent.get(await Agent.start(dict), same) == {}
    assert await Agent.get(await Agent.start(max, 1, 2), same) == 2
    assert await Agent.get(await Agent.start(slowly, 1), same) == 2


async def test_function_runs_in_the_agent() -> None:
    agent = await Agent.start(process.current)

    assert await Agent.get(agent, same) == agent
    assert await Agent.get(agent, lambda _: process.current()) == agent


async def test_start_link_links_and_start_does_not() -> None:
    async with process.attach() as me:
        linked = await Agent.start_link(dict)
        unlinked = await Agent.start(dict)

        assert process.info(me).links == (linked,)
        assert process.info(unlinked).links == ()
        await Agent.stop(linked)


async def test_agent_is_reached_by_its_name() -> None:
    agent = await Agent.start(dict, name="agent")

    assert process.whereis("agent") == agent
    assert await Agent.get("agent", same) == {}
    with pytest.raises(AlreadyStartedError) as taken:
        await Agent.start(dict, name="agent")
    assert taken.value.pid == agent


async def test_agent_is_reached_by_a_via_name() -> None:
    async with process.attach():
        await Registry.start_link(keys="unique", name="registry")
        name = Registry.via("registry", "agent")

        await Agent.start_link(lambda: 1, name=name)

        assert await Agent.get(name, same) == 1


async def test_function_that_raises_fails_the_start() -> None:
    with pytest.raises(StartError) as failure:
        await Agent.start(lambda: 1 / 0)

    assert isinstance(failure.value.__cause__, ZeroDivisionError)


async def test_function_that_takes_too_long_fails_the_start() -> None:
    with pytest.raises(StartError) as failure:
        await Agent.start(asyncio.Event().wait, timeout=0.001)

    assert failure.value.reason == "timeout"


@pytest.mark.parametrize("start", [Agent.start, Agent.start_link])
async def test_value_instead_of_a_function_is_refused(start) -> None:
    async with process.attach():
        with pytest.raises(TypeError, match=r"start_link\(lambda: 0\); got 7"):
            await start(7)


# -- Reading and changing


async def test_get_gives_what_the_function_makes_of_the_state() -> None:
    agent = await Agent.start(lambda: 20)

    assert await Agent.get(agent, lambda state: state * 2) == 40
    assert await Agent.get(agent, slowly) == 21
    assert await Agent.get(agent, same) == 20


async def test_update_makes_the_next_state() -> None:
    agent = await Agent.start(lambda: 1)

    assert await Agent.update(agent, lambda state: state + 10) is None
    assert await Agent.update(agent, slowly) is None

    assert await Agent.get(agent, same) == 12


async def test_get_and_update_gives_one_thing_and_keeps_the_other() -> None:
    async def take_last(state: list[int]) -> tuple[int, list[int]]:
        return state[-1], state[:-1]

    agent = await Agent.start(lambda: [1, 2, 3])

    assert await Agent.get_and_update(agent, lambda state: (state[0], state[1:])) == 1
    assert await Agent.get_and_update(agent, take_last) == 3

    assert await Agent.get(agent, same) == [2]


@pytest.mark.parametrize("answer", [None, 1, (1,), (1, 2, 3), [1, 2]])
async def test_get_and_update_without_a_pair_crashes_the_agent(answer: object) -> None:
    agent = await Agent.start(lambda: 1)

    with pytest.raises(ExitError) as failure:
        await Agent.get_and_update(agent, lambda _: answer)

    assert "(reply, new_state)" in str(failure.value.__cause__)
    assert not process.is_alive(agent)


async def test_cast_returns_at_once() -> None:
    agent = await Agent.start(lambda: 1)

    assert Agent.cast(agent, lambda state: state + 1) is None
    Agent.cast(agent, slowly)

    assert await Agent.get(agent, same) == 3


async def test_functions_run_one_at_a_time_in_order() -> None:
    agent = await Agent.start(list)

    async def append_slowly(state: list[int]) -> list[int]:
        await asyncio.sleep(0)
        return [*state, len(state)]

    await asyncio.gather(*(Agent.update(agent, append_slowly) for _ in range(10)))

    assert await Agent.get(agent, same) == list(range(10))


@pytest.mark.parametrize("value", [None, Stop("no"), (1, 2), ValueError()])
async def test_any_value_can_be_read_and_kept(value: object) -> None:
    agent = await Agent.start(lambda: value)

    assert await Agent.get(agent, same) is value
    assert await Agent.get_and_update(agent, lambda state: (state, 0)) is value
    assert await Agent.update(agent, lambda _: value) is None
    assert await Agent.get(agent, same) is value


# -- Failure


async def test_function_that_raises_crashes_the_agent() -> None:
    for ask in (Agent.get, Agent.update, Agent.get_and_update):
        agent = await Agent.start(lambda: 0)

        with pytest.raises(ExitError) as failure:
            await ask(agent, lambda state: 1 / state)

        assert isinstance(failure.value.__cause__, ZeroDivisionError)
        assert not process.is_alive(agent)


async def test_cast_that_raises_crashes_the_agent(settle) -> None:
    agent = await Agent.start(lambda: 0)

    Agent.cast(agent, lambda state: 1 / state)
    await settle()

    assert not process.is_alive(agent)


async def test_unknown_agent_raises_but_for_a_cast() -> None:
    for ask in (Agent.get, Agent.update, Agent.get_and_update):
        with pytest.raises(NoProcessError):
            await ask("nobody", same)
    with pytest.raises(NoProcessError):
        await Agent.stop("nobody")

    Agent.cast("nobody", same)


async def test_answer_that_takes_too_long_is_given_up() -> None:
    gate = asyncio.Event()

    async def wait(state: int) -> int:
        await gate.wait()
        return state + 1

    agent = await Agent.start(lambda: 1)

    with pytest.raises(CallTimeoutError, match="get"):
        await Agent.get(agent, wait, timeout=0.001)
    with pytest.raises(CallTimeoutError, match="update"):
        await Agent.update(agent, wait, 0.001)

    gate.set()
    assert await Agent.get(agent, same) == 2


async def test_argument_that_is_not_a_function_raises_without_effect() -> None:
    agent = await Agent.start(lambda: 1)

    for ask in (Agent.get, Agent.update, Agent.get_and_update):
        with pytest.raises(TypeError, match="an agent needs a function"):
            await ask(agent, 3)
    with pytest.raises(TypeError, match="an agent needs a function"):
        Agent.cast(agent, 3)

    assert await Agent.get(agent, same) == 1


async def test_stopped_agent_is_dead() -> None:
    agent = await Agent.start(dict)

    await Agent.stop(agent)

    assert not process.is_alive(agent)


async def test_state_is_what_debug_shows() -> None:
    agent = await Agent.start(lambda: 1)

    assert await debug.get_state(agent) == {"state": 1}
    assert process.info(agent).class_name == "Agent"


# -- In a tree


async def test_supervised_agent_starts_again_after_a_crash() -> None:
    async with Supervisor.running([Agent.child_spec(list, name="agent")]):
        first = process.whereis("agent")
        await Agent.update("agent", lambda state: [*state, 1])

        with pytest.raises(ExitError):
            await Agent.get("agent", lambda state: state["x"])

        assert await Agent.get("agent", same) == []
        assert process.whereis("agent") not in (first, None)


def test_child_spec_is_checked_at_once() -> None:
    spec = Agent.child_spec(dict)

    assert (spec.id, spec.restart, spec.shutdown, spec.type) == (Agent, "permanent", 5.0, "worker")
    assert Agent.child_spec(dict, name="agent").id == "agent"
    for wrong in [(), (7,)]:
        with pytest.raises(TypeError):
            Agent.child_spec(*wrong)
    with pytest.raises(TypeError):
        Agent.child_spec(dict, timeout=1.0)


class Counter(Agent, restart="transient", shutdown=1.0):
    """A module-based agent, with client functions of its own."""

    @classmethod
    async def start_link(cls, start: int = 0, *, name: str = "counter") -> Pid:
        return await super().start_link(lambda: start, name=name)

    @staticmethod
    async def increment(counter: str = "counter") -> int:
        return await Agent.get_and_update(counter, lambda state: (state + 1, state + 1))


async def test_module_based_agent_starts_in_its_own_way() -> None:
    async with Supervisor.running([Counter, Counter.child_spec(10, name="ten")]):
        assert await Counter.increment() == 1
        assert await Counter.increment() == 2
        assert await Counter.increment("ten") == 11
        assert process.info("ten").class_name == "Counter"


def test_module_based_agent_has_a_child_spec_of_its_own() -> None:
    spec = Counter.child_spec(3)

    assert (spec.id, spec.restart, spec.shutdown, spec.args) == (Counter, "transient", 1.0, (3,))
    with pytest.raises(TypeError):
        Counter.child_spec(1, 2)
    with pytest.raises(ValueError, match="restart must be one of"):

        class Wrong(Agent, restart="sometimes"):  # type: ignore[call-arg]
            pass


async def test_subclass_without_a_start_of_its_own_works_as_well() -> None:
    class Cache(Agent, restart="temporary"):
        pass

    async with Supervisor.running([Cache.child_spec(dict)]) as sup:
        [child] = await Supervisor.which_children(sup)

        assert child.id is Cache
        assert await Agent.get(child.pid, same) == {}


class Own(Agent):
    """Uses the names of callbacks and of the agent's functions for itself."""

    def init(self) -> None:
        raise AssertionError("not called")

    def terminate(self, reason: object) -> None:
        raise AssertionError("not called")

    def handle_info(self, message: object) -> None:
        raise AssertionError("not called")

    @staticmethod
    async def get(agent: str) -> str:  # type: ignore[override]
        return f"got {await Agent.get(agent, same)}"


async def test_subclass_with_names_of_its_own_keeps_the_requests() -> None:
    pid = await Own.start(lambda: 1, name="own")
    process.send(pid, "a message")

    assert await Own.get("own") == "got 1"
    await Agent.update(pid, lambda state: state + 1)
    assert await Agent.get(pid, same) == 2
    await Own.stop(pid)


@pytest.mark.parametrize("name", ["get", "update", "get_and_update", "change"])
def test_subclass_must_not_redefine_a_request(name: str) -> None:
    with pytest.raises(TypeError, match=f"must not redefine the request '{name}'"):
        type("Wrong", (Agent,), {name: call(lambda self, fn: None)})


def test_subclass_must_not_define_init_of_the_object() -> None:
    with pytest.raises(TypeError, match="must not define __init__, because Agent needs its own"):
        type("Wrong", (Agent,), {"__init__": lambda self: None})


def test_child_spec_can_be_pickled() -> None:
    for spec in (Own.child_spec(dict, name="own"), Counter.child_spec(3)):
        assert pickle.loads(pickle.dumps(spec)) == spec


async def test_late_reply_is_reported_by_the_name_of_the_function() -> None:
    pid = await Agent.start(lambda: 1)

    async def never(_: object) -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(CallTimeoutError, match=r"to get\(<function same"):
        Agent.cast(pid, never)
        await Agent.get(pid, same, timeout=0)

    process.exit(pid, "kill")


@pytest.mark.parametrize("value", [Fail(ValueError()), Stop("normal"), Reply(1)], ids=repr)
async def test_state_can_be_what_callbacks_return(value: object) -> None:
    pid = await Agent.start(lambda: value)

    assert await Agent.get(pid, same) is value
    assert await Agent.get_and_update(pid, lambda state: (state, 1)) is value
    assert await Agent.get(pid, same) == 1
    await Agent.stop(pid)


async def test_unknown_request_is_an_error_of_the_caller_only() -> None:
    pid = await Agent.start(lambda: 1)

    with pytest.raises(TypeError, match="Agent takes no such call"):
        await GenServer.call(pid, "request")
    GenServer.cast(pid, "request")

    assert await Agent.get(pid, same) == 1
    await Agent.stop(pid)
