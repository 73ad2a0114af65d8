"""``ChildSpec``: how a supervisor starts, stops and restarts a child."""

import dataclasses
from collections.abc import Callable

import pytest

from beamish import ChildSpec, DynamicSupervisor, GenServer, Pid, Registry, Supervisor, process

from .support import Worker


async def start() -> Pid:
    return process.spawn_link(process.receive)


def test_defaults() -> None:
    """Elixir Supervisor, "Child specification": permanent, a worker, five seconds to stop."""
    spec = ChildSpec("id", start)

    assert (spec.id, spec.start) == ("id", start)
    assert (tuple(spec.args), dict(spec.kwargs)) == ((), {})
    assert (spec.restart, spec.shutdown, spec.type) == ("permanent", 5.0, "worker")
    assert spec.significant is False


def test_is_frozen() -> None:
    spec = ChildSpec("id", start)

    with pytest.raises(dataclasses.FrozenInstanceError):
        spec.restart = "temporary"  # type: ignore[misc]


def test_replace_gives_a_changed_copy() -> None:
    """Elixir ``Supervisor.child_spec/2``: overrides are applied to the fields."""
    spec = ChildSpec("id", start)

    changed = spec.replace(id=("other", 1), restart="temporary", shutdown=None)

    assert (changed.id, changed.restart, changed.shutdown) == (("other", 1), "temporary", None)
    assert changed.start is start
    assert (spec.id, spec.restart, spec.shutdown) == ("id", "permanent", 5.0)


def test_replace_refuses_an_unknown_field() -> None:
    """Elixir ``Supervisor.child_spec/2``: a key that is not a field raises."""
    with pytest.raises(TypeError, match="restrat"):
        ChildSpec("id", start).replace(restrat="temporary")


@pytest.mark.parametrize("restart", ["permanent", "transient", "temporary"])
def test_takes_every_restart_value(restart: str) -> None:
    assert ChildSpec("id", start, restart=restart).restart == restart


@pytest.mark.parametrize("shutdown", [0, 0.5, 10, None, "brutal_kill"])
def test_takes_every_shutdown_value(shutdown: object) -> None:
    """Elixir Supervisor, "Shutdown values"."""
    assert ChildSpec("id", start, shutdown=shutdown).shutdown == shutdown


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("restart", "always", "transient"),
        ("restart", None, "transient"),
        ("shutdown", -1, "brutal_kill"),
        ("shutdown", "kill", "brutal_kill"),
        ("shutdown", float("nan"), "brutal_kill"),
        ("type", "process", "supervisor"),
        ("start", 42, ""),
        ("significant", "yes", ""),
    ],
)
def test_refuses_a_bad_field_with_its_name_value_and_what_is_allowed(
    field: str, value: object, allowed: str
) -> None:
    fields = {"id": "id", "start": start, field: value}

    with pytest.raises((TypeError, ValueError)) as caught:
        ChildSpec(**fields)

    assert field in str(caught.value)
    assert repr(value) in str(caught.value)
    assert allowed in str(caught.value)


def test_replace_checks_the_fields_too() -> None:
    with pytest.raises(ValueError, match="always"):
        ChildSpec("id", start).replace(restart="always")


def test_id_of_a_named_child_is_its_name() -> None:
    via = Registry.via("registry", "key")

    assert Worker.child_spec(name="worker").id == "worker"
    assert Worker.child_spec(name=via).id == via
    assert Supervisor.child_spec([], name="supervisor").id == "supervisor"
    assert DynamicSupervisor.child_spec(name="supervisor").id == "supervisor"
    assert Registry.child_spec(keys="unique", name="registry").id == "registry"


def test_id_of_a_child_without_name_is_its_class() -> None:
    """Elixir Supervisor, "Child specification": ``id`` defaults to the module."""
    assert Worker.child_spec().id is Worker
    assert Supervisor.child_spec([]).id is Supervisor
    assert DynamicSupervisor.child_spec().id is DynamicSupervisor


def test_class_keywords_give_restart_and_shutdown() -> None:
    """Elixir GenServer, "How to supervise": ``use GenServer, restart: ..., shutdown: ...``."""

    class Configured(GenServer, restart="transient", shutdown=10.0):
        pass

    spec = Configured.child_spec()

    assert (spec.restart, spec.shutdown, spec.type) == ("transient", 10.0, "worker")


def test_class_keywords_are_inherited() -> None:
    class Parent(GenServer, restart="temporary", shutdown="brutal_kill"):
        pass

    class Child(Parent, shutdown=2.0):
        pass

    assert (Child.child_spec().restart, Child.child_spec().shutdown) == ("temporary", 2.0)


@pytest.mark.parametrize(
    "make",
    [lambda: Supervisor.child_spec([]), DynamicSupervisor.child_spec],
    ids=["Supervisor", "DynamicSupervisor"],
)
def test_supervisor_waits_without_limit_for_a_supervisor(make: Callable[[], ChildSpec]) -> None:
    """Elixir Supervisor, "Shutdown values": infinity is the default of supervisors."""
    spec = make()

    assert (spec.type, spec.shutdown, spec.restart) == ("supervisor", None, "permanent")


def test_wrong_argument_is_refused_when_the_spec_is_made() -> None:
    with pytest.raises(TypeError, match="nonsense"):
        Worker.child_spec(nonsense=1)
    with pytest.raises(TypeError):
        Worker.child_spec(1, 2, 3)


async def test_start_runs_with_the_arguments_and_links_to_the_caller() -> None:
    me = process.current()
    spec = Worker.child_spec("tag", report=me, name="started-by-hand")

    pid = await spec.start(*spec.args, **spec.kwargs)

    assert await Worker.ping("started-by-hand") == "tag"
    assert process.info(pid).parent == me
    assert pid in process.info(me).links

    await GenServer.stop(pid)


@pytest.mark.parametrize("name", [None, "by-name", Registry.via("names", ("txn", 1))])
async def test_start_of_a_server_keeps_its_name_whatever_the_id_is(name: object) -> None:
    spec = Worker.child_spec("tag", name=name)

    renamed = spec.replace(id="other")

    assert spec.id == (Worker if name is None else name)
    assert renamed.start == spec.start
    assert renamed != spec
    assert Worker.child_spec("tag", name=name) == spec
    assert repr(spec.start) in repr(renamed)


async def test_child_with_another_id_is_registered_under_its_name_also_after_a_crash() -> None:
    sup = await DynamicSupervisor.start_link()
    spec = Worker.child_spec("tag", name="kept-name").replace(id="other")
    pid = await DynamicSupervisor.start_child(sup, spec)
    assert process.whereis("kept-name") == pid

    process.exit(pid, "kill")

    assert process.whereis("kept-name") not in (pid, None)
    await DynamicSupervisor.stop(sup)
