"""Registering and looking up: unique and duplicate registries, row by row."""

from dataclasses import dataclass

import pytest

from beamish import AlreadyRegisteredError, BeamishError, GenServer, Pid, Registry, process

from .support import Actor, kill

UNIQUE, DUPLICATE = "unique", "duplicate"


@pytest.fixture(params=[UNIQUE, DUPLICATE])
def keys(request: pytest.FixtureRequest) -> str:
    return request.param


async def start(keys: str) -> tuple[Pid, Pid]:
    """A registry called ``registry``, the test's own pid and another process."""
    await Registry.start_link(keys=keys, name="registry")
    return process.current(), await Actor.start()


async def test_registered_key_is_found_with_its_value(keys: str) -> None:
    """Elixir ``Registry.register/3``, ``lookup/2``."""
    me, other = await start(keys)

    Registry.register("registry", "key", "value")

    assert Registry.lookup("registry", "key") == [(me, "value")]
    assert await Actor.run(other, Registry.lookup, "registry", "key") == [(me, "value")]
    await GenServer.stop(other)


async def test_value_is_none_unless_given(keys: str) -> None:
    me, other = await start(keys)

    Registry.register("registry", "key")

    assert Registry.lookup("registry", "key") == [(me, None)]
    await GenServer.stop(other)


async def test_register_gives_the_owner(keys: str) -> None:
    """Elixir ``Registry.register/3``: the owner is the registry, linked to the caller."""
    me, other = await start(keys)

    owner = Registry.register("registry", "key")

    assert owner == process.whereis("registry")
    assert owner in process.info(me).links
    await GenServer.stop(other)


async def test_registers_the_calling_process(keys: str) -> None:
    _, other = await start(keys)

    await Actor.run(other, Registry.register, "registry", "key", 1)

    assert Registry.lookup("registry", "key") == [(other, 1)]
    await GenServer.stop(other)


async def test_unknown_key_is_an_empty_list(keys: str) -> None:
    """Elixir ``Registry.lookup/2``."""
    _, other = await start(keys)

    assert Registry.lookup("registry", "nobody") == []
    assert Registry.values("registry", "nobody", other) == []
    assert Registry.keys("registry", other) == []
    await GenServer.stop(other)


async def test_taken_unique_key_is_refused_with_its_owner() -> None:
    """Elixir ``Registry.register/3``: ``{:already_registered, pid}``."""
    me, other = await start(UNIQUE)
    Registry.register("registry", "key", "mine")

    error = await Actor.run(other, Registry.register, "registry", "key", "theirs")

    assert isinstance(error, AlreadyRegisteredError)
    assert error.pid == me
    assert Registry.lookup("registry", "key") == [(me, "mine")]
    await GenServer.stop(other)


async def test_own_unique_key_is_refused_too_and_keeps_its_value() -> None:
    """Elixir ``Registry.keys/2``: a second registration is ``:already_registered``."""
    me, other = await start(UNIQUE)
    Registry.register("registry", "key", "first")

    with pytest.raises(AlreadyRegisteredError) as caught:
        Registry.register("registry", "key", "second")

    assert caught.value.pid == me
    assert Registry.lookup("registry", "key") == [(me, "first")]
    await GenServer.stop(other)


async def test_refusal_names_the_key() -> None:
    _, other = await start(UNIQUE)
    Registry.register("registry", "the key")

    with pytest.raises(BeamishError, match="the key"):
        Registry.register("registry", "the key")
    await GenServer.stop(other)


async def test_duplicate_key_is_shared_by_processes_and_by_one_process_with_itself() -> None:
    """Elixir ``Registry.register/3``: multiple registrations are allowed."""
    me, other = await start(DUPLICATE)

    Registry.register("registry", "key", 1)
    await Actor.run(other, Registry.register, "registry", "key", 2)
    Registry.register("registry", "key", 3)
    Registry.register("registry", "key", 3)

    found = sorted(Registry.lookup("registry", "key"))
    assert found == [(me, 1), (me, 3), (me, 3), (other, 2)]
    assert Registry.count("registry") == 4
    await GenServer.stop(other)


async def test_one_process_may_have_many_keys(keys: str) -> None:
    """Elixir Registry: different keys could identify the same process."""
    me, other = await start(keys)

    for key in "abc":
        Registry.register("registry", key)

    assert sorted(Registry.keys("registry", me)) == ["a", "b", "c"]
    assert Registry.count("registry") == 3
    await GenServer.stop(other)


async def test_keys_of_a_duplicate_registry_repeat() -> None:
    """Elixir ``Registry.keys/2``: they may contain duplicates."""
    me, other = await start(DUPLICATE)

    Registry.register("registry", "key", 1)
    Registry.register("registry", "key", 2)

    assert Registry.keys("registry", me) == ["key", "key"]
    await GenServer.stop(other)


async def test_values_of_a_pid(keys: str) -> None:
    """Elixir ``Registry.values/3``."""
    me, other = await start(keys)
    Registry.register("registry", "key", "value")

    assert Registry.values("registry", "key", me) == ["value"]
    assert Registry.values("registry", "key", other) == []
    await GenServer.stop(other)


async def test_values_of_a_duplicate_key_are_all_of_that_pid() -> None:
    """Elixir ``Registry.values/3``."""
    me, other = await start(DUPLICATE)
    Registry.register("registry", "key", 1)
    Registry.register("registry", "key", 2)
    await Actor.run(other, Registry.register, "registry", "key", 3)

    assert sorted(Registry.values("registry", "key", me)) == [1, 2]
    await GenServer.stop(other)


async def test_whereis_gives_the_pid_of_a_unique_key() -> None:
    me, other = await start(UNIQUE)
    Registry.register("registry", "key")

    assert Registry.whereis("registry", "key") == me
    assert Registry.whereis("registry", "nobody") is None
    await GenServer.stop(other)


async def test_unregister_removes_the_callers_entry(keys: str) -> None:
    """Elixir ``Registry.unregister/2``."""
    me, other = await start(keys)
    Registry.register("registry", "key")
    Registry.register("registry", "kept")

    Registry.unregister("registry", "key")

    assert Registry.lookup("registry", "key") == []
    assert Registry.keys("registry", me) == ["kept"]
    assert Registry.count("registry") == 1
    await GenServer.stop(other)


async def test_unregister_removes_all_the_callers_entries_of_a_duplicate_key() -> None:
    """Elixir ``Registry.unregister/2``: all entries of the key, of this process only."""
    me, other = await start(DUPLICATE)
    Registry.register("registry", "key", 1)
    Registry.register("registry", "key", 2)
    await Actor.run(other, Registry.register, "registry", "key", 3)

    Registry.unregister("registry", "key")

    assert Registry.lookup("registry", "key") == [(other, 3)]
    assert Registry.keys("registry", me) == []
    await GenServer.stop(other)


async def test_unregister_leaves_other_processes_entries(keys: str) -> None:
    me, other = await start(keys)
    Registry.register("registry", "key")

    await Actor.run(other, Registry.unregister, "registry", "key")

    assert Registry.lookup("registry", "key") == [(me, None)]
    await GenServer.stop(other)


async def test_unregister_of_an_unknown_key_does_nothing(keys: str) -> None:
    """Elixir ``Registry.unregister/2``: always ``:ok``."""
    _, other = await start(keys)

    Registry.unregister("registry", "nobody")

    assert Registry.count("registry") == 0
    await GenServer.stop(other)


async def test_unregistered_key_can_be_taken_by_another() -> None:
    _, other = await start(UNIQUE)
    Registry.register("registry", "key")
    Registry.unregister("registry", "key")

    await Actor.run(other, Registry.register, "registry", "key")

    assert Registry.whereis("registry", "key") == other
    await GenServer.stop(other)


async def test_update_value_gives_new_and_old() -> None:
    """Elixir ``Registry.update_value/3``."""
    me, other = await start(UNIQUE)
    Registry.register("registry", "key", 1)

    assert Registry.update_value("registry", "key", lambda value: value + 1) == (2, 1)

    assert Registry.lookup("registry", "key") == [(me, 2)]
    await GenServer.stop(other)


async def test_update_value_of_what_the_caller_does_not_own_is_none() -> None:
    """Elixir ``Registry.update_value/3``: ``:error``."""
    me, other = await start(UNIQUE)
    Registry.register("registry", "key", 1)

    outcome = await Actor.run(other, Registry.update_value, "registry", "key", lambda value: 2)

    assert outcome is None
    assert Registry.update_value("registry", "nobody", lambda value: 2) is None
    assert Registry.lookup("registry", "key") == [(me, 1)]
    await GenServer.stop(other)


async def test_update_value_that_raises_changes_nothing() -> None:
    """OTP 25: the error is the caller's."""
    me, other = await start(UNIQUE)
    Registry.register("registry", "key", 0)

    with pytest.raises(ZeroDivisionError):
        Registry.update_value("registry", "key", lambda value: 1 / value)

    assert Registry.lookup("registry", "key") == [(me, 0)]
    await GenServer.stop(other)


async def test_update_value_is_for_unique_registries() -> None:
    """Elixir ``Registry.update_value/3``: an error is raised."""
    _, other = await start(DUPLICATE)

    with pytest.raises((TypeError, ValueError)):
        Registry.update_value("registry", "key", lambda value: value)
    await GenServer.stop(other)


async def test_count_counts_entries(keys: str) -> None:
    """Elixir ``Registry.count/1``."""
    _, other = await start(keys)
    assert Registry.count("registry") == 0

    Registry.register("registry", "a")
    await Actor.run(other, Registry.register, "registry", "b")

    assert Registry.count("registry") == 2
    await GenServer.stop(other)


async def test_death_removes_all_entries_at_once(keys: str) -> None:
    """Elixir Registry: keys of a crashed process are removed; here before anyone can look."""
    _, other = await start(keys)
    for key in "abc":
        await Actor.run(other, Registry.register, "registry", key)

    await kill(other)

    assert [Registry.lookup("registry", key) for key in "abc"] == [[], [], []]
    assert Registry.keys("registry", other) == []
    assert Registry.count("registry") == 0


async def test_death_leaves_other_processes_entries(keys: str) -> None:
    me, other = await start(keys)
    Registry.register("registry", "mine", 1)
    await Actor.run(other, Registry.register, "registry", "theirs", 2)

    await kill(other)

    assert Registry.lookup("registry", "mine") == [(me, 1)]
    assert Registry.count("registry") == 1


@dataclass(frozen=True)
class Point:
    x: int
    y: int


@pytest.mark.parametrize(
    "key", ["text", b"bytes", 7, -1.5, None, ("a", ("b", 1)), frozenset({1, 2}), Point(1, 2), str]
)
async def test_any_hashable_is_a_key(keys: str, key: object) -> None:
    me, other = await start(keys)

    Registry.register("registry", key, "value")

    assert Registry.lookup("registry", key) == [(me, "value")]
    assert Registry.keys("registry", me) == [key]
    Registry.unregister("registry", key)
    assert Registry.count("registry") == 0
    await GenServer.stop(other)


async def test_unhashable_key_is_a_type_error(keys: str) -> None:
    _, other = await start(keys)

    with pytest.raises(TypeError):
        Registry.register("registry", ["not", "hashable"])

    assert Registry.count("registry") == 0
    await GenServer.stop(other)


async def test_pids_are_keys(keys: str) -> None:
    me, other = await start(keys)

    Registry.register("registry", other)

    assert Registry.lookup("registry", other) == [(me, None)]
    await GenServer.stop(other)


async def test_returned_lists_are_the_callers_own(keys: str) -> None:
    """Changing what a look-up gave changes nothing in the registry."""
    me, other = await start(keys)
    Registry.register("registry", "key", 1)

    Registry.lookup("registry", "key").clear()
    Registry.keys("registry", me).clear()
    Registry.values("registry", "key", me).clear()

    assert Registry.lookup("registry", "key") == [(me, 1)]
    await GenServer.stop(other)
