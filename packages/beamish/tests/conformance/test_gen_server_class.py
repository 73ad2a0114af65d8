"""What is decided when a GenServer class is defined, and ``child_spec``.

Source: Elixir ``use GenServer, restart: ..., shutdown: ...`` and ``child_spec/1``.
"""

import inspect

import pytest

from beamish import ChildSpec, From, GenServer, Pid, Stop, Via, call, cast, process
from beamish.pid import Dest


class Plain(GenServer):
    def __init__(self, first: int, second: int = 2, *, third: int = 3) -> None:
        self.arguments = (first, second, third)

    def handle_call(self, request: object, from_: From) -> object:
        return self.arguments


class Configured(GenServer, restart="transient", shutdown=10.0):
    pass


class Inherits(Configured):
    pass


class Overrides(Configured, restart="temporary"):
    pass


class NoService:
    """A name service that knows nobody."""

    def register_name(self, name: object, pid: Pid) -> bool:
        return True

    def unregister_name(self, name: object) -> None:
        pass

    def whereis_name(self, name: object) -> Pid | None:
        return None


async def test_child_spec_starts_the_server_with_its_arguments() -> None:
    async with process.attach() as me:
        spec = Plain.child_spec(1, third=30)

        pid = await spec.start(*spec.args, **spec.kwargs)

        assert isinstance(spec, ChildSpec)
        assert await GenServer.call(pid, "arguments") == (1, 2, 30)
        assert me in process.info(pid).links


async def test_child_spec_carries_the_name() -> None:
    async with process.attach():
        spec = Plain.child_spec(1, name="plain")

        pid = await spec.start(*spec.args, **spec.kwargs)

        assert process.whereis("plain") == pid


def test_id_of_a_child_spec_is_its_name_otherwise_its_class() -> None:
    via = Via(NoService(), "key")

    assert Plain.child_spec(1, name="plain").id == "plain"
    assert Plain.child_spec(1, name=via).id == via
    assert Plain.child_spec(1).id is Plain


def test_child_spec_needs_no_running_loop_and_starts_nothing() -> None:
    spec = Plain.child_spec(1)

    assert inspect.isfunction(spec.start) or callable(spec.start)


def test_defaults_are_those_of_elixir() -> None:
    """Elixir ``child_spec/1``: a permanent worker with five seconds to shut down."""
    spec = Plain.child_spec(1)

    assert (spec.restart, spec.shutdown, spec.type, spec.significant) == (
        "permanent",
        5.0,
        "worker",
        False,
    )


@pytest.mark.parametrize(
    ("server", "restart", "shutdown"),
    [
        (Configured, "transient", 10.0),
        (Inherits, "transient", 10.0),
        (Overrides, "temporary", 10.0),
    ],
)
def test_class_keywords_are_the_defaults_of_the_spec_and_inherited(
    server: type[GenServer], restart: str, shutdown: float
) -> None:
    spec = server.child_spec()

    assert (spec.restart, spec.shutdown) == (restart, shutdown)


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((), {}),
        ((1, 2, 3), {}),
        ((1,), {"unknown": 1}),
        ((1,), {"first": 1}),
    ],
)
def test_wrong_arguments_are_refused_by_child_spec(args: tuple, kwargs: dict) -> None:
    with pytest.raises(TypeError):
        Plain.child_spec(*args, **kwargs)


def test_class_without_constructor_takes_no_arguments() -> None:
    Configured.child_spec()

    with pytest.raises(TypeError):
        Configured.child_spec(1)


async def test_wrong_arguments_of_start_are_a_type_error() -> None:
    with pytest.raises(Exception, match="argument") as caught:
        await Plain.start(1, 2, 3)

    assert isinstance(caught.value, TypeError) or isinstance(caught.value.__cause__, TypeError)


@pytest.mark.parametrize("name", [42, b"plain", ("plain",), object(), Plain, 1.5])
async def test_name_is_a_string_or_a_via(name: object) -> None:
    """The message lists what is allowed and shows what it got, as Elixir's does."""
    for refuse in (Plain.start, Plain.start_link):
        with pytest.raises(TypeError) as caught:
            async with process.attach():
                await refuse(1, name=name)
        message = str(caught.value)
        assert "str" in message
        assert "Via" in message
        assert repr(name) in message


@pytest.mark.parametrize("name", [42, b"plain", ("plain",)])
def test_name_of_a_child_spec_is_checked_too(name: object) -> None:
    with pytest.raises(TypeError, match="Via"):
        Plain.child_spec(1, name=name)


def define_positional() -> None:
    class Refused(GenServer):
        def __init__(self, name: str) -> None:
            self.name = name


def define_keyword_only() -> None:
    class Refused(GenServer):
        def __init__(self, *, name: str = "x") -> None:
            self.name = name


def define_inherited() -> None:
    class Mixin:
        def __init__(self, name: str) -> None:
            self.name = name

    class Refused(Mixin, GenServer):
        pass


@pytest.mark.parametrize("define", [define_positional, define_keyword_only, define_inherited])
def test_constructor_that_takes_name_is_refused_when_defined(define) -> None:
    with pytest.raises(TypeError, match="name"):
        define()


def test_constructor_that_takes_timeout_is_refused_when_defined() -> None:
    with pytest.raises(TypeError, match="timeout"):

        class Refused(GenServer):
            def __init__(self, *, timeout: float = 1.0) -> None:
                self.timeout = timeout


def test_constructor_may_take_anything_else() -> None:
    class Allowed(GenServer):
        def __init__(self, *args: object, names: tuple[str, ...] = (), **kwargs: object) -> None:
            self.names = names

    assert Allowed.child_spec(1, 2, names=("a",), other=3).id is Allowed


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("restart", "sometimes"),
        ("shutdown", "gently"),
        ("shutdown", -1.0),
    ],
)
def test_bad_class_keyword_is_refused_with_what_is_allowed(keyword: str, value: object) -> None:
    with pytest.raises((ValueError, TypeError)) as caught:
        type("Refused", (GenServer,), {}, **{keyword: value}).child_spec()

    assert keyword in str(caught.value)
    assert repr(value) in str(caught.value)


def test_unknown_class_keyword_is_a_type_error() -> None:
    with pytest.raises(TypeError):

        class Refused(GenServer, restrat="permanent"):
            pass


@pytest.mark.parametrize("shutdown", [None, "brutal_kill", 0.5, 3])
def test_every_form_of_shutdown_is_allowed(shutdown: object) -> None:
    server = type("Allowed", (GenServer,), {}, shutdown=shutdown)

    assert server.child_spec().shutdown == shutdown


async def test_callbacks_of_a_mixin_count() -> None:
    class Polite:
        async def handle_call(self, request: object, from_: From) -> str:
            return f"dear {request}"

    class Server(Polite, GenServer):
        pass

    assert await GenServer.call(await Server.start(), "sir") == "dear sir"


async def test_subclass_may_make_a_plain_callback_async_and_back() -> None:
    class Async(Plain):
        async def handle_call(self, request: object, from_: From) -> object:
            return "async"

    class Again(Async):
        def handle_call(self, request: object, from_: From) -> object:
            return "plain"

    answers = [await GenServer.call(await s.start(1), "x") for s in (Plain, Async, Again)]

    assert answers == [(1, 2, 3), "async", "plain"]


async def test_class_with_slots_works() -> None:
    class Slotted(GenServer):
        __slots__ = ("count",)

        def __init__(self) -> None:
            self.count = 1

        def handle_call(self, request: object, from_: From) -> int:
            self.count += 1
            return self.count

    assert await GenServer.call(await Slotted.start(), "x") == 2


def test_client_functions_have_the_signature_of_their_methods() -> None:
    class Annotated(GenServer):
        @call
        def add(self, number: int, /, *rest: str, unit: str = "m", from_: From) -> float:
            return 1.0

        @call(timeout=None)
        async def bare(self, dest):
            return dest

        @cast
        def drop(self, number: int) -> Stop | None: ...

    dest = inspect.formatannotation(Dest)
    assert str(inspect.signature(Annotated.add)) == (
        f"(dest: {dest}, number: int, /, *rest: str, unit: str = 'm') -> float"
    )
    assert str(inspect.signature(Annotated.bare)) == f"(_b_dest: {dest}, /, dest)"
    assert str(inspect.signature(Annotated.drop)) == f"(dest: {dest}, /, number: int) -> None"
