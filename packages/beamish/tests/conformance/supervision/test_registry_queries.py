"""``match``, ``select``, their counts, ``unregister_match`` and ``dispatch``."""

import pytest

from beamish import GenServer, Pid, Registry, process

from .support import Actor, kill, mailbox

KEYS = ["unique", "duplicate"]


async def subscribe(*values: object) -> tuple[Pid, list[Pid]]:
    """A duplicate registry where one process each has a value under ``topic``."""
    await Registry.start_link(keys="duplicate", name="registry")
    actors = []
    for value in values:
        actor = await Actor.start()
        await Actor.run(actor, Registry.register, "registry", "topic", value)
        actors.append(actor)
    return process.current(), actors


async def end(actors: list[Pid]) -> None:
    for actor in actors:
        await GenServer.stop(actor)


async def test_match_gives_the_entries_whose_value_fits() -> None:
    """Elixir ``Registry.match/3``, a predicate for its patterns."""
    _, [one, two, three] = await subscribe(1, 2, 3)

    found = Registry.match("registry", "topic", lambda value: value >= 2)

    assert sorted(found) == [(two, 2), (three, 3)]
    await end([one, two, three])


async def test_match_looks_at_one_key_only() -> None:
    me, actors = await subscribe(1)
    Registry.register("registry", "other", 1)

    assert Registry.match("registry", "topic", lambda value: True) == [(actors[0], 1)]
    assert Registry.match("registry", "other", lambda value: True) == [(me, 1)]
    assert Registry.match("registry", "nobody", lambda value: True) == []
    await end(actors)


async def test_count_match_counts_them() -> None:
    """Elixir ``Registry.count_match/3``."""
    _, actors = await subscribe(1, 2, 3)

    assert Registry.count_match("registry", "topic", lambda value: value >= 2) == 2
    assert Registry.count_match("registry", "topic", lambda value: False) == 0
    assert Registry.count_match("registry", "nobody", lambda value: True) == 0
    await end(actors)


@pytest.mark.parametrize("keys", KEYS)
async def test_match_works_on_both_kinds(keys: str) -> None:
    await Registry.start_link(keys=keys, name="registry")
    me = process.current()
    Registry.register("registry", "key", ("a", 1))

    assert Registry.match("registry", "key", lambda v: v[0] == "a") == [(me, ("a", 1))]
    assert Registry.match("registry", "key", lambda v: v[0] == "b") == []


@pytest.mark.parametrize("keys", KEYS)
async def test_select_gives_key_pid_and_value(keys: str) -> None:
    """Elixir ``Registry.select/2``."""
    await Registry.start_link(keys=keys, name="registry")
    me = process.current()
    for key, value in [("a", 1), ("b", 2), ("c", 3)]:
        Registry.register("registry", key, value)

    found = Registry.select("registry", lambda key, pid, value: key < "c" and pid == me)

    assert sorted(found) == [("a", me, 1), ("b", me, 2)]


@pytest.mark.parametrize("keys", KEYS)
async def test_count_select_counts_them(keys: str) -> None:
    """Elixir ``Registry.count_select/2``."""
    await Registry.start_link(keys=keys, name="registry")
    for key, value in [("a", 1), ("b", 2), ("c", 3)]:
        Registry.register("registry", key, value)

    assert Registry.count_select("registry", lambda key, pid, value: value > 1) == 2
    assert Registry.count_select("registry", lambda key, pid, value: False) == 0


async def test_select_of_an_empty_registry_is_empty() -> None:
    await Registry.start_link(keys="unique", name="registry")

    assert Registry.select("registry", lambda key, pid, value: True) == []
    assert Registry.count_select("registry", lambda key, pid, value: True) == 0


async def test_select_never_gives_a_dead_process() -> None:
    _, actors = await subscribe(1, 2)

    await kill(actors[0])

    found = Registry.select("registry", lambda key, pid, value: True)
    assert found == [("topic", actors[1], 2)]
    assert Registry.match("registry", "topic", lambda value: True) == [(actors[1], 2)]
    await end(actors[1:])


async def test_raising_predicate_is_the_callers_error() -> None:
    _, actors = await subscribe(0)

    for ask in [Registry.match, Registry.count_match]:
        with pytest.raises(ZeroDivisionError):
            ask("registry", "topic", lambda value: 1 / value)

    assert Registry.count("registry") == 1
    await end(actors)


async def test_unregister_match_removes_the_callers_fitting_entries() -> None:
    """Elixir ``Registry.unregister_match/3``."""
    await Registry.start_link(keys="duplicate", name="registry")
    me = process.current()
    for value in ["a", "b", "c", "b"]:
        Registry.register("registry", "key", value)

    Registry.unregister_match("registry", "key", lambda value: value == "b")

    assert sorted(Registry.lookup("registry", "key")) == [(me, "a"), (me, "c")]
    assert Registry.keys("registry", me) == ["key", "key"]
    assert Registry.count("registry") == 2


async def test_unregister_match_on_a_unique_registry() -> None:
    """Elixir ``Registry.unregister_match/3``: unregisters on condition of the value."""
    await Registry.start_link(keys="unique", name="registry")
    me = process.current()
    Registry.register("registry", "key", "world")

    Registry.unregister_match("registry", "key", lambda value: value == "moon")
    assert Registry.keys("registry", me) == ["key"]

    Registry.unregister_match("registry", "key", lambda value: value == "world")
    assert Registry.keys("registry", me) == []


async def test_unregister_match_leaves_other_processes_entries() -> None:
    me, actors = await subscribe(1)
    Registry.register("registry", "topic", 1)

    Registry.unregister_match("registry", "topic", lambda value: True)

    assert Registry.lookup("registry", "topic") == [(actors[0], 1)]
    assert Registry.keys("registry", me) == []
    await end(actors)


async def test_dispatch_gives_all_entries_to_the_function() -> None:
    """Elixir ``Registry.dispatch/3``, "Using as a PubSub"."""
    me, actors = await subscribe("a", "b")
    Registry.register("registry", "topic", me)

    def broadcast(entries: list[tuple[Pid, object]]) -> None:
        for pid, value in entries:
            if pid == me:
                process.send(value, f"{len(entries)} subscribers")

    Registry.dispatch("registry", "topic", broadcast)

    assert await mailbox() == ["3 subscribers"]
    await end(actors)


async def test_dispatch_calls_the_function_once() -> None:
    _, actors = await subscribe(1, 2, 3)
    received: list[object] = []

    Registry.dispatch("registry", "topic", received.append)

    [entries] = received
    assert sorted(entries) == list(zip(actors, [1, 2, 3], strict=True))
    await end(actors)


async def test_dispatch_without_entries_calls_nothing() -> None:
    """Elixir ``Registry.dispatch/3``: the callback is never invoked."""
    await Registry.start_link(keys="duplicate", name="registry")

    Registry.dispatch("registry", "nobody", lambda entries: pytest.fail("called"))


async def test_dispatch_on_a_unique_registry() -> None:
    """Elixir ``Registry.dispatch/3`` works on both kinds."""
    await Registry.start_link(keys="unique", name="registry")
    Registry.register("registry", "key", 1)
    received: list[object] = []

    Registry.dispatch("registry", "key", received.append)

    assert [list(entries) for entries in received] == [[(process.current(), 1)]]


async def test_dispatch_that_raises_is_the_callers_error() -> None:
    """Elixir Registry, "Using as a dispatcher": dispatching fails."""
    _, actors = await subscribe(0)

    with pytest.raises(ZeroDivisionError):
        Registry.dispatch("registry", "topic", lambda entries: 1 / entries[0][1])

    assert Registry.count("registry") == 1
    await end(actors)


async def test_dispatch_may_change_the_registry_while_it_runs() -> None:
    me, actors = await subscribe(1, 2)
    Registry.register("registry", "topic", 3)

    def leave(entries: list[tuple[Pid, object]]) -> None:
        for pid, _ in entries:
            if pid == me:
                Registry.unregister("registry", "topic")

    Registry.dispatch("registry", "topic", leave)

    assert sorted(Registry.lookup("registry", "topic")) == [(actors[0], 1), (actors[1], 2)]
    await end(actors)


async def test_predicate_may_look_into_the_registry() -> None:
    _, actors = await subscribe(1, 2)

    found = Registry.select(
        "registry", lambda key, pid, value: len(Registry.lookup("registry", key)) == 2
    )

    assert len(found) == 2
    await end(actors)


async def test_publish_to_many_subscribers() -> None:
    """Elixir Registry, "Using as a PubSub"."""
    received: list[str] = []

    class Subscriber(GenServer):
        def __init__(self, label: str) -> None:
            self.label = label
            Registry.register("registry", "topic")

        def handle_info(self, message: object) -> None:
            received.append(f"{self.label}: {message}")

    await Registry.start_link(keys="duplicate", name="registry")
    subscribers = [await Subscriber.start(label) for label in "abc"]

    Registry.dispatch(
        "registry",
        "topic",
        lambda entries: [process.send(pid, "world") for pid, _ in entries],
    )
    await mailbox()

    assert sorted(received) == ["a: world", "b: world", "c: world"]
    await end(subscribers)
