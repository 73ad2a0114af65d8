"""`call` and `cast`: one definition makes the server's method and its typed client function."""

import functools
import inspect
from collections.abc import Callable, Coroutine
from types import FunctionType, MethodType
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

from beamish import _checks
from beamish._server.clients import CALL_TIMEOUT, call_maker, cast_client
from beamish._server.signature import Parameters, copy_metadata
from beamish.pid import Dest
from beamish.results import NoReply

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
S = TypeVar("S")

_UNSET: Any = object()


class CallClient(Protocol[P, R_co]):
    """The client function of a ``@call`` method."""

    def __call__(
        self, dest: Dest, /, *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, R_co]:
        """Call the server at ``dest``."""
        ...

    def timeout(self, seconds: float | None) -> "CallClient[P, R_co]":
        """Return the same function with another timeout; ``None`` sets no limit."""
        ...


class CastClient(Protocol[P]):
    """The client function of a ``@cast`` method."""

    def __call__(self, dest: Dest, /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Send the cast to the server at ``dest``."""


class _Method:
    """A method of a server that clients can call or cast."""

    def __init__(self, function: Callable[..., Any]) -> None:
        if not isinstance(function, FunctionType):
            raise TypeError(f"@call and @cast must decorate a method; got {function!r}")
        if not inspect.signature(function).parameters:
            raise TypeError(f"{function.__qualname__} must have self as its first parameter")
        self.function = function
        self.client: Any = None
        copy_metadata(self, function)

    def __set_name__(self, owner: type, name: str) -> None:
        # Logs show the private requests of the library's own servers without the underscore.
        table = getattr(owner, "_beamish", None)
        self.name: str = name if table is None else name.removeprefix(table.prefix)
        self.client = self.make_client(self.name)

    def make_client(self, name: str) -> Any:
        raise NotImplementedError

    def _fields(self, name: str, parameters: Parameters) -> dict[str, str]:
        """Return the fields of the templates."""
        dest = _dest_of(parameters)
        return {
            "name": name,
            "declaration": parameters.declaration(dest),
            "dest": dest,
            "guard": parameters.guard(),
            "positional": parameters.positional(),
            "keywords": parameters.keywords(),
        }

    def _annotate(self, client: Any, parameters: Parameters) -> Any:
        """Copy the annotations of the method to the client function, for `inspect.signature`."""
        known = self.function.__annotations__
        listed = {p.name: known[p.name] for p in parameters.listed if p.name in known}
        client.__annotations__ = {_dest_of(parameters): Dest, **listed}
        return client


def _dest_of(parameters: Parameters) -> str:
    # The name in signatures and errors, unless the method has such a parameter.
    return "_b_dest" if "dest" in {p.name for p in parameters.listed} else "dest"


class CallMethod(_Method, Generic[P, R]):
    """The descriptor that ``@call`` makes."""

    def __init__(
        self,
        function: Callable[..., Any],
        timeout: float | None = CALL_TIMEOUT,
        check: Callable[[Any], Any] | None = None,
    ) -> None:
        _checks.timeout(timeout)
        super().__init__(function)
        self.default_timeout = timeout
        self.check = check
        from_ = inspect.signature(function).parameters.get("from_")
        self.wants_from: bool = from_ is not None and from_.kind is from_.KEYWORD_ONLY
        if from_ is not None and not self.wants_from:
            raise TypeError(f"{function.__qualname__}: from_ must be a keyword-only parameter")

    @overload
    def __get__(self, instance: None, owner: type) -> CallClient[P, R]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Callable[P, R]: ...
    def __get__(self, instance: object | None, owner: type) -> Any:
        return self.client if instance is None else MethodType(self.function, instance)

    def make_client(self, name: str) -> Any:
        """Generate the client function, with the parameters of the method."""
        parameters = Parameters(self.function, left_out=("from_",) if self.wants_from else ())
        names, passed, begin = parameters.names(), parameters.passed(), "call_plain"
        if self.wants_from:
            begin = "call_with_from_keyword"
            names, passed = f"{names}, _b_from", f"{passed}, from_=_b_from"
        fields = {
            **self._fields(name, parameters),
            "check": self._check_source(parameters),
            "names": names,
            "passed": passed,
            "begin": begin,
            "arguments": parameters.passed(),
            "timeout": "_b_timeout",
        }
        namespace = {**parameters.defaults, "_b_check": self.check}
        make = call_maker(fields, namespace, self.function, with_from=self.wants_from)
        client = self._annotate(self._with_timeout(make, self.default_timeout), parameters)
        if "return" in self.function.__annotations__:
            client.__annotations__["return"] = self.function.__annotations__["return"]
        return client

    def _check_source(self, parameters: Parameters) -> str:
        if self.check is None:
            return ""
        first = parameters.listed[0].name
        return f"{first} = _b_check({first})"

    def _with_timeout(self, make: Callable[[float | None], Any], seconds: float | None) -> Any:
        _checks.timeout(seconds)
        client = copy_metadata(make(seconds), self.function)
        client.timeout = functools.partial(self._with_timeout, make)
        client.request_name = self.name
        return client


class AsyncCallMethod(CallMethod[P, R]):
    """The type of ``@call`` on an ``async def`` for type checkers: unwraps its coroutine."""

    @overload  # type: ignore[override]
    def __get__(self, instance: None, owner: type) -> CallClient[P, R]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Callable[P, Coroutine[Any, Any, R]]: ...
    def __get__(  # pyright: ignore[reportIncompatibleMethodOverride] - as for mypy above
        self, instance: object | None, owner: type
    ) -> Any:
        return super().__get__(instance, owner)


class CastMethod(_Method, Generic[P, R]):
    """The descriptor that ``@cast`` makes."""

    @overload
    def __get__(self, instance: None, owner: type) -> CastClient[P]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Callable[P, R]: ...
    def __get__(self, instance: object | None, owner: type) -> Any:
        return self.client if instance is None else MethodType(self.function, instance)

    def make_client(self, name: str) -> Any:
        """Generate the client function, with the parameters of the method."""
        parameters = Parameters(self.function)
        fields = self._fields(name, parameters)
        client = cast_client(fields, parameters.defaults, self.function)
        client.request_name = name
        self._annotate(client, parameters).__annotations__["return"] = None
        return client


class DeferredCallMethod(CallMethod[..., Any]):
    """The type of ``@call`` on a method that returns `NoReply` for type checkers.

    They cannot remove ``from_`` from its parameters, and do not know the later reply. So the
    client takes any arguments (Python itself still checks them) and returns ``Any``.
    """


class _TimedCall(Protocol):
    """The decorator that ``@call(timeout=...)`` returns."""

    @overload
    def __call__(  # type: ignore[overload-overlap] # the more special one comes first
        self, function: Callable[..., NoReply] | Callable[..., Coroutine[Any, Any, NoReply]], /
    ) -> DeferredCallMethod: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[S, P], Coroutine[Any, Any, R]], /
    ) -> AsyncCallMethod[P, R]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[S, P], R], /) -> CallMethod[P, R]: ...


@overload
def call(  # type: ignore[overload-overlap] # the more special one comes first
    function: Callable[..., NoReply] | Callable[..., Coroutine[Any, Any, NoReply]], /
) -> DeferredCallMethod: ...
@overload
def call(
    function: Callable[Concatenate[S, P], Coroutine[Any, Any, R]], /
) -> AsyncCallMethod[P, R]: ...
@overload
def call(function: Callable[Concatenate[S, P], R], /) -> CallMethod[P, R]: ...
@overload
def call(*, timeout: float | None) -> _TimedCall: ...
def call(function: Any = None, /, *, timeout: Any = _UNSET) -> Any:
    """Make a method callable by clients: ``await Class.method(dest, ...)`` returns its result.

    On the class, the method is the client function, whose first argument is any destination; on
    an instance it is the plain method. It can be ``async def``, can take ``from_`` as a
    keyword-only parameter to reply later, and can return `Reply`, `Fail`, `NoReply` or `Stop`.
    Wrong arguments raise `TypeError` in the caller, before anything is sent.

    Args:
        function: The method, when used as ``@call``.
        timeout: Seconds that clients wait for the reply. Default: 5; ``None`` sets no limit.
            ``Class.method.timeout(seconds)(dest, ...)`` overrides it for one call.

    Raises:
        ExitError: In the client function: the server exited before it replied.
        Exception: In the client function: the error of a `Fail` that the method returned.

    Source:
        Elixir's ``handle_call/3`` and the client function for it.
    """
    seconds = CALL_TIMEOUT if timeout is _UNSET else timeout
    if function is None:
        return lambda method: CallMethod(method, seconds)
    return CallMethod(function, seconds)


def checked_call(check: Callable[[Any], Any], *, timeout: float | None) -> _TimedCall:
    """Make a method callable by clients, which check its first argument before they send it.

    Args:
        check: Called with the first argument before the call is sent; returns the value to send.
        timeout: As in `call`.
    """
    return lambda method: CallMethod(method, timeout, check)  # type: ignore[return-value]


def cast(function: Callable[Concatenate[S, P], R], /) -> CastMethod[P, R]:
    """Make a method castable by clients: ``Class.method(dest, ...)`` returns ``None`` at once.

    The method can return what ``handle_cast`` can return. A cast to a dead or unknown destination
    is dropped.

    Source:
        Elixir's ``handle_cast/2`` and the client function for it.
    """
    return CastMethod(function)
